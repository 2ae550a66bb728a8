use pilotage_config::load;

use super::*;

/// Code and message of every problem.
fn problems(yaml: &str) -> Vec<(&'static str, String)> {
    let loaded = load("test.yaml", yaml);
    let objects: Vec<&Object> = loaded.objects.iter().chain(&loaded.broken).collect();
    assert!(!objects.is_empty());
    analyze(&objects).into_iter().map(|problem| (problem.code.id(), problem.message)).collect()
}

const CART: &str = "
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {ports: [{name: http, port: 80}, {name: grpc, port: 7070}]}
";

fn virtual_service(spec: &str) -> String {
    format!(
        "{CART}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: v, namespace: shop}}
spec: {spec}
"
    )
}

#[test]
fn hosts_ports_and_subsets_have_to_exist() {
    let of = |destination: &str| {
        let spec =
            format!("{{hosts: [a.test], http: [{{route: [{{destination: {destination}}}]}}]}}");
        problems(&virtual_service(&spec)).into_iter().map(|(code, _)| code).collect::<Vec<_>>()
    };
    assert_eq!(of("{host: cart, port: {number: 80}}"), Vec::<&str>::new());
    assert_eq!(of("{host: cart.shop.svc.cluster.local, port: {number: 80}}"), Vec::<&str>::new());
    assert_eq!(of("{host: cart.shop, port: {number: 80}}"), ["IST0101"]);
    assert_eq!(of("{host: cart, port: {number: 81}}"), ["IST0101"]);
    assert_eq!(of("{host: cart}"), ["IST0112"]);
    assert_eq!(of("{host: cart, subset: v1, port: {number: 80}}"), ["IST0101"]);
}

#[test]
fn an_older_object_for_the_same_host_is_named() {
    let second = "---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: w, namespace: shop}
spec: {hosts: [cart], http: [{directResponse: {status: 200}}]}
";
    let first = virtual_service("{hosts: [cart], http: [{directResponse: {status: 200}}]}");
    let found = problems(&format!("{first}{second}"));
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|(code, _)| *code == "IST0109"));
    assert!(found[0].1.contains("shop/w"), "{}", found[0].1);
}

#[test]
fn gateways_have_to_exist_and_to_take_a_host() {
    let gateway = "---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*.a.test', blue/b.test]}]
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
";
    let of = |host: &str, gateway_name: &str| {
        let spec = format!(
            "{{hosts: [{host}], gateways: [{gateway_name}], http: [{{directResponse: {{status: 200}}}}]}}"
        );
        let found = problems(&format!("{}{gateway}", virtual_service(&spec)));
        let codes = found.into_iter().map(|(code, _)| code);
        codes.filter(|code| *code != "IST0162").collect::<Vec<_>>()
    };
    assert_eq!(of("x.a.test", "web"), Vec::<&str>::new());
    assert_eq!(of("x.a.test", "shop/web"), Vec::<&str>::new());
    assert_eq!(of("b.test", "web"), ["IST0132"]);
    assert_eq!(of("x.a.test", "other"), ["IST0101", "IST0132"]);
}

#[test]
fn an_object_may_ask_for_silence() {
    let spec = "{hosts: [cart], http: [{route: [{destination: {host: nowhere}}]}]}";
    let loud = virtual_service(spec);
    assert_eq!(problems(&loud).len(), 1);
    let annotations = "{galley.istio.io/analyze-suppress: 'IST0109, IST0101'}";
    let quiet = loud.replace("name: v,", &format!("name: v, annotations: {annotations},"));
    assert_eq!(problems(&quiet), []);
}

#[test]
fn a_delegate_has_to_be_usable_and_to_fit() {
    let of = |delegate: &str| {
        let root = virtual_service(
            "{hosts: [a.test], http: [{match: [{uri: {prefix: /a}}], delegate: {name: d}}]}",
        );
        let found = problems(&format!(
            "{root}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: d, namespace: shop}}
spec: {delegate}
"
        ));
        found.into_iter().map(|(code, _)| code).collect::<Vec<_>>()
    };
    let rule = |uri: &str| {
        format!("http: [{{match: [{{uri: {{prefix: {uri}}}}}], directResponse: {{status: 200}}}}]")
    };
    assert_eq!(of(&format!("{{{}}}", rule("/a/b"))), Vec::<&str>::new());
    assert_eq!(of(&format!("{{{}}}", rule("/b"))), ["PIL0102"]);
    assert_eq!(of(&format!("{{exportTo: [blue], {}}}", rule("/a"))), ["PIL0101"]);
    assert_eq!(of(&format!("{{hosts: [b.test], {}}}", rule("/a"))), ["PIL0101"]);
}

#[test]
fn sidecars_need_the_port_where_it_is_another_one() {
    let api = "---
apiVersion: v1
kind: Service
metadata: {name: api, namespace: shop}
spec: {ports: [{name: http, port: 9000}]}
";
    let of = |rule: &str| {
        let spec = format!("{{hosts: [cart], http: [{{{rule}}}]}}");
        let found = problems(&format!("{}{api}", virtual_service(&spec)));
        found.into_iter().map(|(code, _)| code).collect::<Vec<_>>()
    };
    assert_eq!(of("route: [{destination: {host: api}}]"), ["PIL0103"]);
    assert_eq!(of("route: [{destination: {host: api, port: {number: 9000}}}]"), Vec::<&str>::new());
    let elsewhere = "match: [{port: 9000}], route: [{destination: {host: api}}]";
    assert_eq!(of(elsewhere), Vec::<&str>::new());
}

#[test]
fn selectors_and_secrets_need_a_counterpart() {
    let gateway = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  servers:
  - {port: {number: 443, name: s, protocol: HTTPS}, hosts: [a.test], tls: {mode: SIMPLE, credentialName: c}}
";
    let pod = "---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: edge, labels: {app: web}}
";
    let secret = |namespace: &str| {
        format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: c, namespace: {namespace}}}\n"
        )
    };
    let of = |yaml: &str| {
        let found = problems(yaml).into_iter().filter(|(code, _)| *code == "IST0101");
        found.map(|(_, message)| message).collect::<Vec<_>>()
    };
    assert_eq!(of(gateway), ["no pod has the labels `app=web`"]);
    let beside = format!("{gateway}{pod}{}", secret("shop"));
    assert_eq!(of(&beside), ["there is no Secret `edge/c`"]);
    assert!(of(&format!("{gateway}{pod}{}", secret("edge"))).is_empty());
}

#[test]
fn rules_for_unknown_hosts_and_unchecked_certificates_are_told() {
    let of = |spec: &str| {
        let yaml = format!(
            "{CART}---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: r, namespace: shop}}
spec: {spec}
"
        );
        problems(&yaml).into_iter().map(|(code, _)| code).collect::<Vec<_>>()
    };
    assert_eq!(of("{host: cart}"), Vec::<&str>::new());
    assert_eq!(of("{host: '*.shop.svc.cluster.local'}"), ["IST0174"]);
    assert_eq!(of("{host: cart, trafficPolicy: {tls: {mode: SIMPLE}}}"), ["IST0128"]);
    let ports = "{host: cart, trafficPolicy: {portLevelSettings: [{port: {number: 80}, tls: {mode: SIMPLE}}]}}";
    assert_eq!(of(ports), ["IST0129"]);
    let checked = "{host: cart, trafficPolicy: {tls: {mode: SIMPLE, caCertificates: /ca.pem}}}";
    assert_eq!(of(checked), Vec::<&str>::new());
}

#[test]
fn names_and_labels_that_say_too_little_are_told() {
    let yaml = "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: blue, labels: {istio-injection: enabled}}
---
apiVersion: v1
kind: Service
metadata: {name: s, namespace: shop}
spec: {ports: [{name: http-a, port: 1}, {name: thing, port: 2}, {name: db, port: 3306}]}
";
    let codes: Vec<_> = problems(yaml).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["IST0118", "IST0102"]);
}

#[test]
fn subsets_and_ports_need_pods_and_services() {
    let pod = "---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: shop, labels: {app: cart, version: v1}}
";
    let rule = "---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: r, namespace: shop}
spec: {host: cart, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
";
    let gateway = "---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g, namespace: shop}
spec:
  selector: {app: cart}
  servers:
  - {port: {number: 80, name: a, protocol: HTTP}, hosts: [a.test]}
  - {port: {number: 81, name: b, protocol: HTTP}, hosts: [b.test]}
";
    let cart = CART.replace("spec: {", "spec: {selector: {app: cart}, ");
    let found = problems(&format!("{cart}{pod}{rule}{gateway}"));
    let codes: Vec<_> = found.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, ["IST0173", "IST0162"]);
    assert!(found[0].1.contains("`v2`") && found[1].1.ends_with("81"), "{found:?}");
}

#[test]
fn a_subset_of_listed_endpoints_is_told_as_on_istio_and_said_to_be_served() {
    let text = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: x}\n\
         spec: {hosts: [x.test], resolution: STATIC, ports: [{number: 80, name: http, protocol: HTTP}], \
         endpoints: [{address: 10.0.0.1, labels: {version: v1}}]}\n\
         ---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: x}\n\
         spec: {host: x.test, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}\n";
    let loaded = pilotage_config::load("x.yaml", text);
    let objects: Vec<_> = loaded.objects.iter().collect();
    let notes: Vec<_> = analyze(&objects).into_iter().flat_map(|problem| problem.notes).collect();
    assert_eq!(notes.len(), 2);
    assert_eq!(notes[0], subsets::SERVED_WITHOUT_PODS);
    assert_ne!(notes[1], subsets::SERVED_WITHOUT_PODS);
}

#[test]
fn gateways_that_pass_by_subsets_are_told() {
    let spec = |subset: &str| {
        let to = format!("{{host: cart, port: {{number: 80}}{subset}}}");
        format!(
            "{{hosts: [cart], gateways: [mesh], http: [{{match: [{{port: 80}}], route: [{{destination: {to}}}]}}, \
                 {{route: [{{destination: {{host: cart, port: {{number: 80}}}}}}]}}]}}"
        )
    };
    let of = |subset: &str| {
        let found = problems(&virtual_service(&spec(subset)));
        found.into_iter().map(|(code, _)| code).collect::<Vec<_>>()
    };
    assert_eq!(of(""), Vec::<&str>::new());
    assert_eq!(of(", subset: v1"), ["IST0101", "IST0140"]);
}
