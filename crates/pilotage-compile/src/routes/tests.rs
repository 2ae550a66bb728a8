use pilotage_proto::envoy::config::core::v3::Metadata;

use crate::testing::{given, given_mesh, routes_of, sidecar, virtual_hosts};

/// Three services: `web` and `api` on port 80, `db` on a port whose protocol nobody says; `web` has a second port.
const SERVICES: &str = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.1, ports: [{name: http, port: 80}, {name: http-b, port: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: api, namespace: shop}
spec: {clusterIP: 10.96.0.2, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: 10.96.0.3, ports: [{name: what, port: 4000}]}
";

fn virtual_service(name: &str, created: &str, spec: &str) -> String {
    format!(
        "---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: shop, creationTimestamp: '{created}-01-01T00:00:00Z'}}
spec: {spec}
"
    )
}

fn answer(name: &str, created: &str, hosts: &str, status: u16) -> String {
    let spec = format!("{{hosts: [{hosts}], http: [{{directResponse: {{status: {status}}}}}]}}");
    virtual_service(name, created, &spec)
}

/// The routes of a client in the namespace of the services.
fn routes(rules: &str, config: &str, domain: &str) -> Vec<String> {
    let view = given(&format!("{SERVICES}{rules}"), &sidecar("shop", "10.1.9.1"));
    routes_of(&view, config, domain)
}

#[test]
fn a_service_without_rules_is_called_by_all_its_names() {
    let view = given(SERVICES, &sidecar("shop", "10.1.9.1"));
    let hosts = virtual_hosts(&view, "80");
    let domains: Vec<_> = hosts.iter().map(|(domains, _)| domains.join(" ")).collect();
    let api = "api.shop.svc.cluster.local api.shop.svc.cluster.local. api api.shop.svc api.shop";
    assert_eq!(domains[0], format!("{api} 10.96.0.2"));
    assert_eq!(domains.last().map(String::as_str), Some("*"));
    assert_eq!(hosts[0].1, ["default /* -> outbound|80||api.shop.svc.cluster.local"]);
    assert_eq!(hosts.last().unwrap().1, ["allow_any /* -> PassthroughCluster"]);
}

#[test]
fn the_oldest_object_has_a_host_for_itself() {
    let both = answer("young", "2024", "web, api", 201) + &answer("old", "2020", "web", 202);
    assert_eq!(routes(&both, "80", "web"), ["/* -> 202"]);
    assert_eq!(routes(&both, "80", "api"), ["/* -> 201"]);
}

#[test]
fn an_object_without_a_rule_for_this_client_leaves_the_host_to_the_next() {
    let elsewhere = "{hosts: [web], http: [{match: [{sourceNamespace: blue}], \
                     directResponse: {status: 201}}]}";
    let old = virtual_service("old", "2020", elsewhere);
    assert_eq!(
        routes(&old, "80", "web"),
        ["default /* -> outbound|80||web.shop.svc.cluster.local"]
    );
    let both = old + &answer("young", "2024", "web", 202);
    assert_eq!(routes(&both, "80", "web"), ["/* -> 202"]);
}

#[test]
fn a_wildcard_decides_where_nothing_closer_does() {
    let rules = answer("wide", "2020", "'*.cluster.local'", 201)
        + &answer("narrow", "2022", "'*.shop.svc.cluster.local'", 202)
        + &answer("exact", "2024", "web", 203)
        + &answer("unknown", "2020", "'*.example.com'", 204);
    assert_eq!(routes(&rules, "80", "web"), ["/* -> 203"]);
    assert_eq!(routes(&rules, "80", "api"), ["/* -> 202"]);
    assert_eq!(routes(&rules, "80", "*.example.com"), ["/* -> 204"]);
    assert!(routes(&rules, "80", "*.cluster.local").is_empty());
    assert!(routes(&rules, "8080", "*.example.com").is_empty());
}

#[test]
fn an_unknown_host_counts_at_port_80_or_beside_a_known_one() {
    let alone = answer("a", "2020", "nowhere.test", 201);
    assert_eq!(routes(&alone, "80", "nowhere.test"), ["/* -> 201"]);
    assert!(routes(&alone, "8080", "nowhere.test").is_empty());
    let beside = answer("a", "2020", "nowhere.test, web", 201);
    assert_eq!(routes(&beside, "8080", "nowhere.test"), ["/* -> 201"]);
}

#[test]
fn a_rule_may_take_a_short_name_or_an_address_from_its_service() {
    let rules = answer("a", "2020", "web.shop", 201) + &answer("b", "2020", "10.96.0.1", 202);
    assert_eq!(routes(&rules, "80", "web.shop"), ["/* -> 201"]);
    assert_eq!(routes(&rules, "80", "10.96.0.1"), ["/* -> 202"]);
    assert_eq!(routes(&rules, "80", "web").len(), 1);
}

#[test]
fn an_alias_shares_the_virtual_host_of_its_target_unless_it_has_rules() {
    let alias = "---
apiVersion: v1
kind: Service
metadata: {name: front, namespace: shop}
spec: {type: ExternalName, externalName: web.shop.svc.cluster.local, ports: [{name: http, port: 80}]}
";
    let to_web = ["default /* -> outbound|80||web.shop.svc.cluster.local"];
    assert_eq!(routes(alias, "80", "front"), to_web);
    let ruled = format!("{alias}{}", answer("a", "2020", "front", 201));
    assert_eq!(routes(&ruled, "80", "front"), ["/* -> 201"]);
    assert_eq!(routes(&ruled, "80", "web"), to_web);
    let spec = "{hosts: [api], http: [{route: [{destination: {host: front}}]}]}";
    let to_alias = format!("{alias}{}", virtual_service("a", "2020", spec));
    assert_eq!(routes(&to_alias, "80", "api"), ["/* -> outbound|80||web.shop.svc.cluster.local"]);
}

#[test]
fn a_destination_without_port_means_that_of_the_listener() {
    let spec = "{hosts: [web], http: [{name: split, route: [\
                {destination: {host: api}, weight: 1}, {destination: {host: db}, weight: 0}, \
                {destination: {host: api, port: {number: 7}}, weight: 2}]}]}";
    let rules = virtual_service("a", "2020", spec);
    let api = "api.shop.svc.cluster.local";
    assert_eq!(
        routes(&rules, "8080", "web"),
        [format!("split /* -> 1 outbound|8080||{api} + 2 outbound|7||{api}")]
    );
}

#[test]
fn a_port_of_unknown_protocol_has_a_configuration_of_its_own() {
    let name = "db.shop.svc.cluster.local:4000";
    assert_eq!(routes("", name, "*"), ["default /* -> outbound|4000||db.shop.svc.cluster.local"]);
    assert_eq!(routes(&answer("a", "2020", "db", 201), name, "*"), ["/* -> 201"]);
}

#[test]
fn an_explicit_proxy_serves_all_ports_and_asks_for_them_in_the_host() {
    let proxy = "---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: shop}
spec:
  egress:
  - {port: {number: 3128, protocol: HTTP_PROXY, name: proxy}, bind: 127.0.0.1, hosts: ['*/*']}
";
    let to = |port| [format!("default /* -> outbound|{port}||web.shop.svc.cluster.local")];
    assert_eq!(routes(proxy, "3128", "web"), to(80));
    assert_eq!(routes(proxy, "3128", "web:80"), to(80));
    assert_eq!(routes(proxy, "3128", "web:8080"), to(8080));
}

#[test]
fn unknown_hosts_are_refused_where_only_the_registry_counts() {
    let mesh = "{outboundTrafficPolicy: {mode: REGISTRY_ONLY}}";
    let view = given_mesh(mesh, SERVICES, &sidecar("shop", "10.1.9.1"));
    assert_eq!(routes_of(&view, "80", "*"), ["block_all /* -> 502"]);
    let mesh = "{outboundTrafficPolicy: {mode: ALLOW_ANY_DYNAMIC_DNS}}";
    let view = given_mesh(mesh, SERVICES, &sidecar("shop", "10.1.9.1"));
    let dynamic = "allow_any_dynamic_dns /* -> AllowAnyDynamicDNSCluster";
    assert_eq!(routes_of(&view, "80", "*"), [dynamic]);
}

#[test]
fn every_route_of_a_rule_says_where_it_was_written() {
    let spec = "{hosts: [web], http: [{match: [{uri: {exact: /a}}, {uri: {exact: /b}}], \
                directResponse: {status: 200}}]}";
    let yaml = format!("{SERVICES}{}", virtual_service("a", "2020", spec));
    let set = crate::resources(&given(&yaml, &sidecar("shop", "10.1.9.1")));
    let hosts = &set.routes["80"].virtual_hosts;
    let host = hosts.iter().find(|host| host.name.starts_with("web.")).unwrap();
    let paths: Vec<_> = host
        .routes
        .iter()
        .filter_map(|route| Metadata::of_route(&route.metadata)?.filter_metadata.remove("pilotage"))
        .map(|ours| format!("{:?}", ours.fields["path"].kind))
        .collect();
    assert_eq!(paths.len(), 2);
    assert!(paths[1].contains("spec.http[0].match[1]"), "{}", paths[1]);
}
