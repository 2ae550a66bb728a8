//! Gateways, their pods, certificates and claims.

use super::*;

/// A gateway of HTTP, on the pods `app: web`.
fn web(hosts: &str) -> String {
    let servers = format!("[{{port: {{number: 80, name: http, protocol: HTTP}}, hosts: {hosts}}}]");
    object("Gateway", "web", &format!("{{selector: {{app: web}}, servers: {servers}}}"))
}

/// A gateway of HTTPS, on the same pods.
fn secure(name: &str, host: &str, secret: &str) -> String {
    let tls = format!("{{mode: SIMPLE, credentialName: {secret}}}");
    let port = "{number: 443, name: s, protocol: HTTPS}";
    let servers = format!("[{{port: {port}, tls: {tls}, hosts: ['{host}']}}]");
    object("Gateway", name, &format!("{{selector: {{app: web}}, servers: {servers}}}"))
}

#[test]
fn gateways_have_to_exist_and_to_take_a_host() {
    let gateway = web("['*.a.test', blue/b.test]") + &pod("web", "app: web");
    let of = |host: &str, gateway_name: &str| {
        let spec = format!(
            "{{hosts: [{host}], gateways: [{gateway_name}], http: [{{directResponse: {{status: 200}}}}]}}"
        );
        let codes = told(&format!("{}{gateway}", virtual_service(&spec))).into_iter();
        codes.filter(|code| *code != "IST0162").collect::<Vec<_>>()
    };
    assert_eq!(of("x.a.test", "web"), Vec::<&str>::new());
    assert_eq!(of("x.a.test", "shop/web"), Vec::<&str>::new());
    assert_eq!(of("b.test", "web"), ["IST0132"]);
    assert_eq!(of("x.a.test", "other"), ["IST0101", "IST0132"]);
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
    let of = |subset: &str| told(&virtual_service(&spec(subset)));
    assert_eq!(of(""), Vec::<&str>::new());
    assert_eq!(of(", subset: v1"), ["IST0101", "IST0140"]);
}

#[test]
fn claims_need_somebody_who_reads_tokens() {
    let rules = virtual_service(
        "{hosts: [a.test], gateways: [web], http: [{match: [{headers: {'@request.auth.claims.group': {exact: x}}}], directResponse: {status: 200}}]}",
    );
    let gateway = web("[a.test]") + &pod("web", "app: web").replace("shop", "edge");
    let policy = |namespace: &str| {
        let spec = "{selector: {matchLabels: {app: web}}}";
        object("RequestAuthentication", "r", spec).replace("shop", namespace)
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
            "{}{}---
apiVersion: v1
kind: Secret
metadata: {{name: c, namespace: shop}}
data: {{tls.crt: '{certificate}', tls.key: aGVsbG8=}}
",
            secure("web", "a.test", "c"),
            pod("web", "app: web")
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
fn gateways_of_istios_own_making_are_not_to_be_named() {
    let of = |name: &str| {
        let spec = format!(
            "{{hosts: [a.test], gateways: [{name}], http: [{{directResponse: {{status: 200}}}}]}}"
        );
        told(&virtual_service(&spec))
    };
    assert_eq!(of("web~istio-autogenerated-k8s-gateway~http"), ["IST0165"]);
    assert_eq!(of("edge/web-istio-autogenerated-k8s-gateway-http"), ["IST0165"]);
    assert_eq!(of("istio-autogenerated-k8s-gateway"), ["IST0101", "IST0132"]);
}

#[test]
fn policies_select_no_pods_of_kubernetes_gateways() {
    let pod = pod("web-1", "app: web, gateway.networking.k8s.io/gateway-name: web");
    let of = |namespace: &str, app: &str| {
        let spec = format!("{{selector: {{matchLabels: {{app: {app}}}}}}}");
        let policy = object("RequestAuthentication", "tokens", &spec).replace("shop", namespace);
        told(&format!("{pod}{policy}"))
    };
    assert_eq!(of("shop", "web"), ["IST0166"]);
    assert_eq!(of("shop", "cart"), Vec::<&str>::new());
    assert_eq!(of("edge", "web"), Vec::<&str>::new());
}

#[test]
fn a_wildcard_of_another_gateway_takes_connections_for_a_host() {
    let of = |wild: &str, secret: &str, gateways: &str| {
        let service = virtual_service(&format!(
            "{{hosts: [a.test], gateways: [{gateways}], http: [{{directResponse: {{status: 200}}}}]}}"
        ));
        own(&(service + &secure("all", wild, secret) + &secure("one", "a.test", "one")))
    };
    assert_eq!(of("*.test", "all", "one"), ["PIL0318"]);
    assert_eq!(of("*.test", "all", "one, all"), Vec::<&str>::new());
    // A certificate for a wildcard is for one label; for `*` nobody knows; IST0138 is about shared ones.
    assert_eq!(of("*.b.test", "all", "one"), Vec::<&str>::new());
    assert_eq!(of("*", "all", "one"), Vec::<&str>::new());
    assert_eq!(of("*.test", "one", "one"), Vec::<&str>::new());
}
