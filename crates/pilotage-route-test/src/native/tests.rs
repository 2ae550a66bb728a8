use std::sync::Arc;

use pilotage_model::Inputs;

use super::{Stage, TestFile, run};
use crate::coverage::Coverage;
use crate::report::{Suite, Verdict};

const MESH: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: default}
spec: {clusterIP: 10.0.0.1, selector: {app: reviews}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}, {name: v3, labels: {version: v3}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - name: jason
    match: [{headers: {end-user: {exact: jason}}}]
    route: [{destination: {host: reviews, subset: v2}}]
    timeout: 500ms
  - match: [{uri: {prefix: /old}}]
    rewrite: {uri: /new, authority: r.test}
    headers: {request: {set: {x-a: b}, remove: [x-gone]}, response: {add: {x-r: s}, remove: [x-up]}}
    fault: {abort: {httpStatus: 503, percentage: {value: 10}}, delay: {fixedDelay: 2s, percentage: {value: 100}}}
    mirror: {host: reviews, subset: v3}
    mirrorPercentage: {value: 25}
    retries: {attempts: 3, perTryTimeout: 1s, retryOn: "5xx,reset,418"}
    route: [{destination: {host: reviews, subset: v1}}]
  - match: [{uri: {prefix: /moved}}]
    redirect: {uri: /there, redirectCode: 302}
  - match: [{uri: {prefix: /teapot}}]
    directResponse: {status: 418, body: {string: short}}
  - match: [{uri: {prefix: /dangling}}]
    route: [{destination: {host: reviews, subset: v9}}]
  - match: [{uri: {prefix: /down}}]
    fault: {abort: {httpStatus: 500, percentage: {value: 100}}}
    route: [{destination: {host: reviews, subset: v1}}]
  - route:
    - {destination: {host: reviews, subset: v1}, weight: 2}
    - {destination: {host: reviews, subset: v2}, weight: 1, headers: {request: {set: {x-canary: "1"}}}}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: public}
spec: {selector: {istio: in}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge}
spec:
  hosts: [shop.test]
  gateways: [public]
  http: [{route: [{destination: {host: reviews}}]}]
"#;

fn ran(tests: &str) -> (Suite, Coverage) {
    let loaded = pilotage_config::load("mesh.yaml", MESH);
    assert!(loaded.diagnostics.iter().all(|problem| !problem.is_error()), "{loaded:?}");
    let objects = loaded.objects.into_iter().map(Arc::new).collect();
    let file = TestFile::read(&"t.yaml".into(), tests).unwrap();
    run(&file, &mut Stage::new(&Inputs { objects, ..Inputs::default() }))
}

fn hold(tests: &str) {
    for test in ran(tests).0.tests {
        assert_eq!(test.verdict, Verdict::Passed, "{}", test.name);
    }
}

/// What is wrong with the only test, as `what: expected, got`.
fn wrong(request: &str, expect: &str) -> Vec<String> {
    let text = format!("tests: [{{request: {request}, expect: {expect}}}]");
    match &ran(&text).0.tests[0].verdict {
        Verdict::Failed(all) => {
            all.iter().map(|m| format!("{}: {}, {}", m.what, m.expected, m.got)).collect()
        }
        other => panic!("{request}: {other:?}"),
    }
}

#[test]
fn every_part_of_an_outcome_can_be_expected() {
    hold(
        r#"
tests:
- request: GET http://reviews/x -H end-user:jason
  expect: {to: reviews/v2, timeout: 500ms, rule: jason, path: /x, host: reviews, fault: none, mirror: none}
- request: http://reviews/old?a=b -H x-gone:1
  upstreamHeaders: {x-up: "1", x-kept: "2"}
  expect:
    to: reviews.default.svc.cluster.local:80/v1
    path: /new?a=b
    host: r.test
    requestHeaders: {x-a: b, x-gone: null}
    responseHeaders: {x-r: s, x-up: null, x-kept: "2"}
    timeout: none
    retries: {attempts: 3, perTryTimeout: 1s, retryOn: "418,reset,5xx"}
    mirror: 25% reviews/v3
    fault: {abort: {status: 503, percent: 10}, delay: {time: 2s}}
- request: http://reviews/moved/x
  expect: {redirect: "http://reviews/there", status: 302, to: none}
- request: http://reviews/teapot
  expect: {status: 418, body: short, to: none, rule: "http[3]"}
- request: http://reviews/dangling
  expect: {status: 503, flags: NC, to: none}
- request: http://reviews/down
  expect: {status: 500, flags: FI, to: none}
- request: {method: POSTS, url: "http://reviews/"}
  expect: {status: 400, flags: DPE, to: none, rule: none}
- request: http://reviews/
  expect: {to: {reviews/v1: 66.7, reviews/v2: 33.3}, retries: 2, status: none, redirect: none}
- request: http://shop.test/
  from: public
  expect: {to: reviews, rule: "default/edge http[0]"}
- request: http://other.test/
  from: {proxy: gateway, namespace: default, labels: {istio: in}}
  expect: {status: 404, flags: NR, rule: none}
"#,
    );
}

#[test]
fn what_differs_is_told_in_the_words_of_the_test() {
    assert_eq!(
        wrong("http://reviews/", "{to: 90% reviews/v1, timeout: 1s}"),
        ["to: 90% reviews/v1, 66.667% reviews/v1, 33.333% reviews/v2", "timeout: 1s, none"]
    );
    assert_eq!(
        wrong("http://reviews/", "{requestHeaders: {x-canary: '1'}, status: 200}"),
        [
            "status: 200, none: it goes to 66.667% reviews/v1, 33.333% reviews/v2",
            "requestHeaders x-canary: 1, no such header (reviews/v1), 1 (reviews/v2)",
        ]
        .iter()
        .rev()
        .map(|s| (*s).to_owned())
        .collect::<Vec<_>>()
    );
    assert_eq!(
        wrong("http://reviews/moved", "{to: reviews/v1, path: /}"),
        [
            "to: reviews/v1, none: redirect 302 to http://reviews/there",
            "path: /, none: redirect 302 to http://reviews/there"
        ]
    );
    assert_eq!(
        wrong("http://reviews/dangling", "reviews/v9"),
        ["to: reviews/v9, reviews/v9 (503 NC, cluster not found)"]
    );
}

#[test]
fn tables_are_tests_and_coverage_names_what_nobody_asked_for() {
    let (suite, coverage) = ran("\
from: {namespace: default}
table: |
  | request                       | to         | timeout | name        |
  |-------------------------------|------------|---------|-------------|
  | http://reviews/ -H 'end-user: jason' | reviews/v2 | 500ms   | the new one |

  # the rest is as before
  | http://reviews/moved          | none       |         |             |
");
    assert_eq!(suite.tests.len(), 2);
    assert!(suite.tests.iter().all(crate::TestResult::passed), "{suite:?}");
    assert_eq!((suite.tests[0].name.as_str(), suite.tests[0].place.line), ("the new one", 5));
    assert_eq!(
        (suite.tests[1].name.as_str(), suite.tests[1].place.line),
        ("http://reviews/moved", 8)
    );
    assert_eq!((coverage.reached(), coverage.rules.len()), (2, 8));
    let dead: Vec<String> = coverage.dead().map(ToString::to_string).collect();
    assert_eq!(dead[0], "VirtualService default/reviews http[1] (mesh.yaml:24)");
}

#[test]
fn nobody_by_that_name_is_no_verdict() {
    let (suite, _) = ran("tests: [{request: http://reviews/, from: nobody, expect: reviews/v1}]");
    let verdict = &suite.tests[0].verdict;
    assert!(matches!(verdict, Verdict::Broken(why) if why.contains("nobody")), "{verdict:?}");
}

#[test]
fn slips_have_a_place_in_lists_and_in_tables() {
    let problems = |text: &str| -> Vec<String> {
        let found = TestFile::read(&"t.yaml".into(), text).unwrap_err();
        found.iter().map(ToString::to_string).collect()
    };
    let list = "tests:\n- request: http://a/\n  expect: {too: b}\n";
    assert_eq!(
        problems(list),
        ["t.yaml:3:12: error[PIL0203]: unknown field `tests[0].expect.too`"]
    );
    let table = "table: |\n  | request | too |\n  | http://a/ | b |\n  | http://b/ | c |\n";
    assert_eq!(problems(table), ["t.yaml:2:15: error[PIL0203]: unknown field `expect.too`"]);
    let cell = "table: |\n  | request | fault |\n  | http://a/ | {abort: {statsu: 3}} |\n";
    assert_eq!(
        problems(cell),
        ["t.yaml:3:26: error[PIL0203]: unknown field `expect.fault.abort.statsu`"]
    );
    let wide = "table: |\n  | request | to |\n  | http://a/ | b | c |\n";
    assert!(
        problems(wide)[0].starts_with("t.yaml:3:21: error[PIL0203]: the row has 3 cells"),
        "{:?}",
        problems(wide)
    );
    let told = problems(MESH);
    assert!(told.len() == 1 && told[0].contains("configuration to test"), "{told:?}");
    let request = "tests: [{request: GET, expect: a}]";
    assert!(problems(request)[0].contains("no URL"), "{:?}", problems(request));
    let nothing = "tests: [{request: http://a/}]";
    assert!(problems(nothing)[0].contains("lacks what is expected"), "{:?}", problems(nothing));
    assert!(problems("config: [a]")[0].contains("there is no test in it"));
    assert!(problems("tests: [{request: http://a/, expect: {timeout: 5}}]")[0].contains("unit"));
}
