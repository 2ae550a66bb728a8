use crate::testing::{gateway, given, routes_of, virtual_hosts};

/// A gateway object with these servers, given as their differing parts.
fn gateways(servers: &[&str]) -> String {
    let server = |(index, rest): (usize, &&str)| {
        format!("{{port: {{number: 80, name: http-{index}, protocol: HTTP}}, {rest}}}")
    };
    let servers: Vec<_> = servers.iter().enumerate().map(server).collect();
    format!(
        "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: web, namespace: shop}}
spec: {{selector: {{istio: ingressgateway}}, servers: [{}]}}
",
        servers.join(", ")
    )
}

fn virtual_service(name: &str, namespace: &str, hosts: &str, rules: &str) -> String {
    format!(
        "---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{hosts: [{hosts}], gateways: [shop/web], http: [{rules}]}}
"
    )
}

fn answer(status: u16) -> String {
    format!("{{directResponse: {{status: {status}}}}}")
}

fn answer_at(prefix: &str, status: u16) -> String {
    format!("{{match: [{{uri: {{prefix: {prefix}}}}}], directResponse: {{status: {status}}}}}")
}

/// Domains of the virtual hosts.
fn domains(yaml: &str) -> Vec<String> {
    let hosts = virtual_hosts(&given(yaml, &gateway()), "http.80");
    hosts.into_iter().map(|(domains, _)| domains.join(" ")).collect()
}

#[test]
fn rules_of_several_objects_for_a_host_are_joined_and_catch_alls_come_last() {
    let yaml = gateways(&["hosts: [a.test]"])
        + &virtual_service("a", "shop", "a.test", &[answer_at("/x", 201), answer(202)].join(", "))
        + &virtual_service("b", "shop", "a.test", &[answer_at("/y", 203), answer(204)].join(", "));
    assert_eq!(
        routes_of(&given(&yaml, &gateway()), "http.80", "a.test"),
        ["/x* -> 201", "/y* -> 203", "/* -> 202", "/* -> 204"]
    );
}

#[test]
fn the_narrower_of_two_hosts_is_served() {
    let yaml = gateways(&["hosts: ['*.a.test', b.test]"])
        + &virtual_service("a", "shop", "x.a.test, '*.y.a.test', a.test", &answer(201))
        + &virtual_service("b", "shop", "'*.test'", &answer(202));
    assert_eq!(domains(&yaml), ["b.test *.a.test", "x.a.test *.y.a.test"]);
}

#[test]
fn a_host_may_be_open_to_one_namespace_only() {
    let rules = virtual_service("a", "blue", "a.test, b.test, c.test", &answer(201));
    let yaml = gateways(&["hosts: [./a.test, blue/b.test, c.test]"]) + &rules;
    assert_eq!(domains(&yaml), ["b.test c.test"]);
}

#[test]
fn hosts_are_redirected_even_without_rules() {
    let yaml =
        gateways(&["hosts: [a.test, b.test], tls: {httpsRedirect: true}", "hosts: [c.test]"])
            + &virtual_service("a", "shop", "a.test, c.test", &answer(201));
    let set = crate::resources(&given(&yaml, &gateway()));
    let hosts = &set.routes["http.80"].virtual_hosts;
    let seen: Vec<_> =
        hosts.iter().map(|h| (h.name.as_str(), h.require_tls != 0, h.routes.len())).collect();
    assert_eq!(seen, [("a.test:80", true, 1), ("b.test:80", true, 0), ("c.test:80", false, 1)]);
}

#[test]
fn a_gateway_without_rules_answers_nothing() {
    let set = crate::resources(&given(&gateways(&["hosts: ['*']"]), &gateway()));
    let hosts = &set.routes["http.80"].virtual_hosts;
    assert_eq!((hosts.len(), hosts[0].name.as_str()), (1, "blackhole:80"));
    assert!(hosts[0].routes.is_empty());
}
