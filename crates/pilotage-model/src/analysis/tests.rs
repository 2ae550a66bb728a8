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
    let codes: Vec<_> = found.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, ["IST0109", "IST0109", "PIL0304"]);
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

/// The codes of a text.
fn told(yaml: &str) -> Vec<&'static str> {
    problems(yaml).into_iter().map(|(code, _)| code).collect()
}

#[test]
fn sidecars_share_no_pods() {
    let sidecar = |name: &str, spec: &str| {
        let kind = "apiVersion: networking.istio.io/v1\nkind: Sidecar";
        format!("---\n{kind}\nmetadata: {{name: {name}, namespace: shop}}\nspec: {spec}\n")
    };
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop, labels: {app: cart, tier: web}}\n";
    let of = |label: &str| {
        format!("{{workloadSelector: {{labels: {label}}}, egress: [{{hosts: ['./*']}}]}}")
    };
    let two = sidecar("a", &of("{app: cart}")) + &sidecar("b", &of("{tier: web}"));
    assert_eq!(told(&format!("{pod}{two}")), ["IST0110", "IST0110"]);
    let apart = sidecar("a", &of("{app: cart}")) + &sidecar("b", &of("{tier: db}"));
    assert_eq!(told(&format!("{pod}{apart}")), ["IST0101"]);
    let whole = "{egress: [{hosts: ['./*']}]}";
    let two = sidecar("a", whole) + &sidecar("b", whole);
    assert_eq!(told(&format!("{pod}{two}")), ["IST0111", "IST0111"]);
    assert_eq!(told(&format!("{pod}{}", sidecar("a", whole))), Vec::<&str>::new());
}

#[test]
fn services_of_a_deployment_agree_about_ports() {
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, namespace: shop}\n\
         spec: {template: {metadata: {labels: {app: cart, sidecar.istio.io/inject: 'true'}}}}\n";
    let service = |name: &str, port: &str| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\n\
             spec: {{selector: {{app: cart}}, ports: [{port}]}}\n"
        )
    };
    let tcp = service("a", "{name: http, port: 80}");
    let udp = service("b", "{name: udp, port: 80, protocol: UDP}");
    assert_eq!(told(&format!("{deployment}{tcp}{udp}")), ["IST0116"]);
    let moved = service("b", "{name: http, port: 81, targetPort: 80}");
    assert_eq!(told(&format!("{deployment}{tcp}{moved}")), ["IST0137"]);
    let outside = deployment.replace("'true'", "'false'");
    assert_eq!(told(&format!("{outside}{tcp}{moved}")), Vec::<&str>::new());
}

#[test]
fn claims_need_somebody_who_reads_tokens() {
    let rules = virtual_service(
        "{hosts: [a.test], gateways: [web], http: [{match: [{headers: {'@request.auth.claims.group': {exact: x}}}], directResponse: {status: 200}}]}",
    );
    let gateway = "---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [a.test]}]
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: edge, labels: {app: web}}
";
    let policy = |namespace: &str| {
        format!(
            "---\napiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {{name: r, namespace: \
             {namespace}}}\nspec: {{selector: {{matchLabels: {{app: web}}}}}}\n"
        )
    };
    let missing = |yaml: &str| told(yaml).contains(&"IST0149");
    assert!(missing(&format!("{rules}{gateway}")));
    assert!(missing(&format!("{rules}{gateway}{}", policy("shop"))));
    assert!(!missing(&format!("{rules}{gateway}{}", policy("edge"))));
    assert!(!missing(&format!("{rules}{gateway}{}", policy("istio-system"))));
}

#[test]
fn certificates_of_gateways_are_looked_at_with_the_time_given() {
    let certificate = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJJRENCeDZBREFnRUNBZ0VITUFvR0NDcUdTTTQ5QkFNQ01Cb3hHREFXQmdOVkJBTU1EMjlzWkM1bGVHRnQKY0d4bExtTnZiVEFlRncweU1EQXhNREV3TURBd01EQmFGdzB5TVRBeE1ERXdNREF3TURCYU1Cb3hHREFXQmdOVgpCQU1NRDI5c1pDNWxlR0Z0Y0d4bExtTnZiVEJaTUJNR0J5cUdTTTQ5QWdFR0NDcUdTTTQ5QXdFSEEwSUFCSzJDCmpRYkVyb3RzSmNXbS80NHBha2Yrc2MxVVpKMzBvSmUwZGJZVERYdmN5Y3VXWjc3YUtySTlVc0hFUVVRNWNTUGgKWXJNNlJBQUpjdFlWMDZZWFM5OHdDZ1lJS29aSXpqMEVBd0lEU0FBd1JRSWhBS0o1ZkN3d3J0cU13d1JjelRFYwpBd1hpQ3YyS3FZbHNqNEx2UWxLQ3M5ZFVBaUExeXAveHkrWFNXK2V1Q2ZjdHIvWkJhS21UTW9DRkZLODNKc1Q5Ck16cXZzUT09Ci0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K";
    let yaml = |certificate: &str| {
        format!(
            "apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: web, namespace: shop}}
spec:
  selector: {{app: web}}
  servers:
  - {{port: {{number: 443, name: s, protocol: HTTPS}}, hosts: [a.test], tls: {{mode: SIMPLE, credentialName: c}}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: shop, labels: {{app: web}}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: c, namespace: shop}}
data: {{tls.crt: '{certificate}', tls.key: aGVsbG8=}}
"
        )
    };
    let of = |yaml: &str, now: Option<&str>| {
        let loaded = load("test.yaml", yaml);
        let objects: Vec<&Object> = loaded.objects.iter().collect();
        let context = Context::new(&objects, now.and_then(Timestamp::parse));
        let analyzer = ANALYZERS.iter().find(|a| a.name == "gateway.SecretAnalyzer").unwrap();
        let told = analyzer.run(&context).into_iter();
        told.map(|problem| {
            assert_eq!(problem.code.id(), "IST0161");
            problem.message
        })
        .collect::<Vec<_>>()
    };
    let good = yaml(certificate);
    assert_eq!(of(&good, None), Vec::<String>::new());
    assert_eq!(of(&good, Some("2020-06-01T00:00:00Z")), Vec::<String>::new());
    let late = of(&good, Some("2026-01-01T00:00:00Z"));
    assert_eq!(
        late,
        ["the Secret `shop/c` holds a certificate that expired on 2021-01-01T00:00:00Z"]
    );
    let garbage = of(&yaml("aGVsbG8="), None);
    assert_eq!(garbage, ["the Secret `shop/c` does not hold a certificate in PEM form"]);
    let empty = of(&good.replace("tls.crt", "certificate"), None);
    assert_eq!(
        empty,
        ["the Secret `shop/c` has neither `tls.crt` and `tls.key` nor `cert` and `key`"]
    );
}

#[test]
fn of_two_virtual_services_the_private_one_comes_first() {
    let of = |first: &str, second: &str| {
        let one = |name: &str, more: &str| {
            format!(
                "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {name}, namespace: shop, \
                 creationTimestamp: '2026-01-0{}T00:00:00Z'}}\nspec: {{hosts: [a.test]{more}, http: [{{directResponse: {{status: 200}}}}]}}\n",
                if name == "old" { 1 } else { 2 }
            )
        };
        let found = problems(&(one("old", first) + &one("new", second)));
        let losers = found.into_iter().filter(|(code, _)| *code == "PIL0304");
        losers.map(|(_, message)| message.contains("`shop/old` comes first")).collect::<Vec<_>>()
    };
    assert_eq!(of("", ""), [true]);
    assert_eq!(of(", exportTo: ['.']", ", exportTo: ['.']"), [true]);
    // The private one is used in its namespace, the public one in all others.
    assert_eq!(of("", ", exportTo: ['.']"), Vec::<bool>::new());
    assert_eq!(of("", ", gateways: [web]"), Vec::<bool>::new());
}

#[test]
fn retries_are_a_warning_for_methods_that_must_not_be_repeated() {
    let of = |rule: &str| {
        let spec = format!(
            "{{hosts: [a.test], http: [{{route: [{{destination: {{host: cart, port: {{number: 80}}}}}}], {rule}}}]}}"
        );
        let loaded = load("test.yaml", &virtual_service(&spec));
        let objects: Vec<&Object> = loaded.objects.iter().collect();
        let found = analyze(&objects).into_iter().find(|problem| problem.code.id() == "PIL0311");
        found.map(|problem| problem.severity.as_str())
    };
    let on = |conditions: &str| format!("retries: {{attempts: 2, retryOn: '{conditions}'}}");
    assert_eq!(of(&on("5xx")), Some("info"));
    assert_eq!(
        of(&format!("match: [{{method: {{exact: POST}}}}], {}", on("503"))),
        Some("warning")
    );
    assert_eq!(of(&format!("match: [{{method: {{exact: GET}}}}], {}", on("5xx"))), None);
    assert_eq!(of(&on("connect-failure,429,unavailable")), None);
}

#[test]
fn ports_of_aliases_have_to_say_what_they_carry() {
    let alias = |name: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: shop}}\n\
             spec: {{type: ExternalName, externalName: a.test, ports: [{{name: {name}, port: 80}}]}}\n"
        )
    };
    assert_eq!(told(&alias("tcp-x")), ["IST0150"]);
    assert_eq!(told(&alias("http")), Vec::<&str>::new());
}

#[test]
fn annotations_are_known_and_in_their_place() {
    let of = |kind: &str, annotation: &str| {
        let version = if kind == "Deployment" { "apps/v1" } else { "v1" };
        told(&format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x, namespace: shop, annotations: {{{annotation}}}}}\n"
        ))
    };
    assert_eq!(of("Pod", "sidecar.istio.io/logLevel: debug"), Vec::<&str>::new());
    assert_eq!(of("Deployment", "sidecar.istio.io/logLevel: debug"), ["IST0107"]);
    assert_eq!(of("Pod", "sidecar.istio.io/loglevel: debug"), ["IST0108"]);
    assert_eq!(of("Pod", "sidecar.istio.io/inject: 'true'"), ["IST0135"]);
    assert_eq!(of("Service", "galley.istio.io/analyze-suppress: IST0101"), Vec::<&str>::new());
    assert_eq!(of("Service", "example.com/anything: x"), Vec::<&str>::new());
    let ports = |value: &str| {
        of("Pod", &format!("traffic.sidecar.istio.io/excludeInboundPorts: '{value}'"))
    };
    assert_eq!(ports("80, 443"), Vec::<&str>::new());
    assert_eq!(ports("80;443"), ["IST0125"]);
    let ranges = |value: &str| {
        of("Pod", &format!("traffic.sidecar.istio.io/includeOutboundIPRanges: '{value}'"))
    };
    assert_eq!(ranges("*"), Vec::<&str>::new());
    assert_eq!(ranges("10.0.0.0/8,10.1.0.0"), ["IST0125"]);
}

#[test]
fn endpoints_of_a_host_are_counted_where_they_come_from() {
    let rule = |subsets: &str| {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: r, namespace: shop}}\n\
             spec: {{host: cart, trafficPolicy: {{outlierDetection: {{maxEjectionPercent: 40}}}}{subsets}}}\n"
        )
    };
    let service = CART.replace("spec: {", "spec: {selector: {app: cart}, ");
    let pods = |number: usize| -> String {
        let pod = |n: usize| {
            format!(
                "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{n}, namespace: shop, labels: {{app: cart}}}}\n"
            )
        };
        (0..number).map(pod).collect()
    };
    let deployment = |replicas: usize| {
        format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d, namespace: shop}}\n\
             spec: {{replicas: {replicas}, template: {{metadata: {{labels: {{app: cart}}}}}}}}\n"
        )
    };
    let told = |objects: String| told(&objects).contains(&"PIL0310");
    assert!(told(format!("{service}{}{}", pods(2), rule(""))));
    assert!(!told(format!("{service}{}{}", pods(3), rule(""))));
    assert!(told(format!("{service}{}{}", deployment(2), rule(""))));
    assert!(!told(format!("{service}{}{}", deployment(3), rule(""))));
    assert!(!told(format!("{service}{}", rule(""))), "nothing is known");
}
