use std::sync::Arc;

use super::{TestFile, is_one, run};
use crate::report::{Report, Verdict};

const SERVICES: &str = r#"
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: shop}
spec:
  gateways: [edge/public, mesh]
  hosts: [www.shop.test, shop.test]
  http:
  - match: [{uri: {regex: "/users(/.*)?"}}]
    route: [{destination: {host: users.users.svc.cluster.local, port: {number: 80}}}]
  - match: [{uri: {prefix: /partners}, method: {regex: "(GET|OPTIONS)"}, sourceLabels: {app: any}}]
    route: [{destination: {host: partners.shop.svc.cluster.local}}]
  - match: [{uri: {prefix: /resell}, headers: {x-class: {exact: bot}}}]
    route: [{destination: {host: partners.shop.svc.cluster.local}}]
    fault: {abort: {percentage: {value: 100}, httpStatus: 403}}
  - match: [{uri: {prefix: /resell}}]
    route: [{destination: {host: partners.shop.svc.cluster.local}}]
    rewrite: {uri: /partner}
  - match: [{uri: {prefix: /old}}]
    redirect: {uri: /new, authority: www.shop.test}
  - match: [{uri: {regex: "/sellers(/.*)?"}}]
    delegate: {name: sellers}
  - match: [{queryParams: {version: {exact: "2"}}}]
    route: [{destination: {host: second.shop.svc.cluster.local}}]
  - match: [{scheme: {exact: https}}]
    route: [{destination: {host: secure.shop.svc.cluster.local}}]
  - route: [{destination: {host: monolith.shop.svc.cluster.local}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: sellers, namespace: shop}
spec:
  http:
  - match: [{uri: {regex: "/sellers(/.*)?"}}]
    route: [{destination: {host: sellers.shop.svc.cluster.local}}]
    headers: {request: {set: {x-from: shop}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: short, namespace: shop}
spec:
  hosts: [cart]
  http: [{route: [{destination: {host: cart}}]}]
"#;

fn report(tests: &str) -> Report {
    let loaded = pilotage_config::load("services.yaml", SERVICES);
    assert!(loaded.diagnostics.iter().all(|problem| !problem.is_error()), "{loaded:?}");
    let objects: Vec<_> = loaded.objects.into_iter().map(Arc::new).collect();
    assert!(is_one(tests));
    let file = TestFile::read(&"t.yaml".into(), tests).unwrap();
    run(&objects, &[&file])
}

#[test]
fn rules_are_found_and_compared_as_written() {
    let told = report(
        r#"
testCases:
- description: users
  wantMatch: true
  request: {authority: [www.shop.test, shop.test], method: [GET, POST], uri: [/users, /users/], headers: {x-user: a}}
  route: [{destination: {host: users.users.svc.cluster.local, port: {number: 80}}}]
- description: partners read only
  wantMatch: false
  request: {authority: [shop.test], method: [PUT, POST], uri: [/partners, /partners/1]}
  route: [{destination: {host: partners.shop.svc.cluster.local}}]
- description: partners
  wantMatch: true
  request: {authority: [shop.test], method: [GET], uri: ["http://shop.test/partners/1"]}
  route: [{destination: {host: partners.shop.svc.cluster.local}}]
- description: bots are refused
  wantMatch: true
  request: {authority: [shop.test], method: [GET], uri: [/reseller], headers: {x-class: bot}}
  fault: {abort: {percentage: {value: 100}, httpStatus: 403}}
- description: others are rewritten
  wantMatch: true
  request: {authority: [shop.test], method: [GET], uri: [/reseller]}
  rewrite: {uri: /partner}
- description: redirects
  wantMatch: true
  request: {authority: [shop.test], method: [GET], uri: [/old/a]}
  redirect: {uri: /new, authority: www.shop.test}
- description: delegates are named
  wantMatch: true
  request: {authority: [shop.test], method: [GET], uri: [/sellers/1]}
  delegate: {name: sellers}
- description: and asked
  wantMatch: true
  request: {authority: [shop.test], method: [GET], uri: [/sellers/1]}
  delegate: {name: sellers}
  route: [{destination: {host: sellers.shop.svc.cluster.local}}]
  headers: {request: {set: {x-from: shop}}}
- description: query
  wantMatch: true
  request: {authority: [shop.test], method: [GET], uri: [/x], queryParams: {version: "2", other: }}
  route: [{destination: {host: second.shop.svc.cluster.local}}]
- description: scheme
  wantMatch: true
  request: {scheme: https, authority: [shop.test], method: [GET], uri: [/x]}
  route: [{destination: {host: secure.shop.svc.cluster.local}}]
- description: no such host
  wantMatch: false
  request: {authority: [other.test], method: [GET], uri: [/x]}
  route: [{destination: {host: monolith.shop.svc.cluster.local}}]
- description: short names
  wantMatch: true
  request: {authority: [cart], method: [GET], uri: [/x]}
  route: [{destination: {host: cart}}]
"#,
    );
    for test in told.tests() {
        assert_eq!(test.verdict, Verdict::Passed, "{}: {}", test.name, test.asked);
    }
    assert_eq!(told.tests().count(), 22);
    let dead: Vec<String> = told.coverage.dead().map(ToString::to_string).collect();
    assert_eq!(dead, Vec::<String>::new());
}

#[test]
fn what_differs_is_told_with_the_rule() {
    let told = report(
        "TestCases:
- description: wrong
  wantMatch: true
  request: {authority: [shop.test], method: [GET], uri: [/reseller]}
  route: [{destination: {host: users}, weight: 3}]
  rewrite: {uri: /other}
- description: not wanted
  wantMatch: false
  request: {authority: [shop.test], method: [GET], uri: [/reseller]}
  rewrite: {uri: /partner}
",
    );
    let tests: Vec<_> = told.tests().collect();
    let Verdict::Failed(first) = &tests[0].verdict else { panic!("{:?}", tests[0]) };
    let of = |index: usize| (first[index].expected.as_str(), first[index].got.as_str());
    assert_eq!(of(0), ("users weight 3", "partners.shop.svc.cluster.local"));
    assert_eq!(of(1), ("uri /other", "uri /partner"));
    let rule = tests[0].taken_by.as_ref().unwrap().to_string();
    assert_eq!(rule, "VirtualService shop/shop http[3] (services.yaml:16)");
    let Verdict::Failed(second) = &tests[1].verdict else { panic!("{:?}", tests[1]) };
    assert_eq!(second[0].expected, "anything but uri /partner");
}

#[test]
fn slips_have_a_place() {
    let read = |text: &str| TestFile::read(&"t.yaml".into(), text).unwrap_err()[0].to_string();
    let slip = "testCases:\n- description: a\n  wantmatch: true\n";
    assert!(read(slip).starts_with("t.yaml:3:3: error[PIL0203]: unknown field"), "{}", read(slip));
    let lack = "testCases: [{request: {authority: [a], uri: [/]}}]";
    assert!(read(lack).contains("`request.method`"), "{}", read(lack));
    assert!(!is_one("tests: []"));
}
