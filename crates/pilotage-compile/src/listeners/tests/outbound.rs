use super::*;
use crate::testing::{given, given_mesh, sidecar};

const HTTP: &str = "http/1.1,h2c";

fn service(name: &str, ip: &str, port_name: &str, port: u16, day: u8) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: default, creationTimestamp: '2026-01-{day:02}T00:00:00Z'}}\nspec: {{clusterIP: {ip}, ports: [{{name: {port_name}, port: {port}}}]}}\n---\n"
    )
}

fn entry(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}, namespace: default}}\nspec: {spec}\n---\n"
    )
}

fn rule(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: default}}\nspec: {spec}\n---\n"
    )
}

fn set(yaml: &str) -> ResourceSet {
    listeners(&given(yaml, &sidecar("default", "10.1.0.1")))
}

fn cluster(port: u16, name: &str) -> String {
    format!("outbound|{port}||{name}.default.svc.cluster.local")
}

#[test]
fn http_services_of_a_port_share_a_listener_that_lets_other_bytes_pass() {
    let yaml = service("a", "10.0.0.1", "http", 80, 1) + &service("b", "10.0.0.2", "grpc", 80, 2);
    let set = set(&yaml);
    assert_eq!(
        chains(&set, "0.0.0.0_80"),
        [format!("raw_buffer {HTTP} -> routes 80"), "else -> PassthroughCluster".into()]
    );
    assert_eq!(names(&set), ["0.0.0.0_80", "virtualInbound", "virtualOutbound"]);
    let listener = &set.listeners["0.0.0.0_80"];
    assert_eq!(
        (listener.bind_to_port, inspectors(listener)),
        (Some(false), vec!["http_inspector"])
    );
}

#[test]
fn registry_only_refuses_what_no_chain_takes() {
    let yaml = service("a", "10.0.0.1", "http", 80, 1);
    let mesh = "outboundTrafficPolicy: {mode: REGISTRY_ONLY}";
    let set = listeners(&given_mesh(mesh, &yaml, &sidecar("default", "10.1.0.1")));
    assert_eq!(chains(&set, "0.0.0.0_80")[1], "else -> BlackHoleCluster");
    assert_eq!(
        chains(&set, "virtualOutbound"),
        ["port 15001 -> BlackHoleCluster", "any -> BlackHoleCluster"]
    );
}

#[test]
fn a_tcp_service_has_a_listener_of_its_own_and_an_undeclared_one_both_chains() {
    let yaml = service("db", "10.0.0.3", "tcp", 5432, 1) + &service("x", "10.0.0.4", "x", 90, 1);
    let set = set(&yaml);
    assert_eq!(chains(&set, "10.0.0.3_5432"), [format!("any -> {}", cluster(5432, "db"))]);
    assert!(inspectors(&set.listeners["10.0.0.3_5432"]).is_empty());
    assert_eq!(
        chains(&set, "10.0.0.4_90"),
        [
            format!("raw_buffer {HTTP} -> routes x.default.svc.cluster.local:90"),
            format!("else -> {}", cluster(90, "x"))
        ]
    );
}

#[test]
fn http_and_tcp_without_addresses_coexist_and_the_older_tcp_service_wins() {
    let tcp = |name: &str, day: u8| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}, namespace: default, creationTimestamp: '2026-01-{day:02}T00:00:00Z'}}\nspec: {{hosts: [{name}.test], ports: [{{number: 7000, name: t, protocol: TCP}}]}}\n---\n"
        )
    };
    let yaml = tcp("young", 3) + &tcp("old", 2) + &service("web", "10.0.0.1", "http", 7000, 1);
    assert_eq!(
        chains(&set(&yaml), "0.0.0.0_7000"),
        [format!("raw_buffer {HTTP} -> routes 7000"), "else -> outbound|7000||old.test".into()]
    );
}

#[test]
fn ranges_are_told_apart_and_equal_ones_belong_to_the_older_entry() {
    let tcp = |name: &str, address: &str| {
        let ports = "ports: [{number: 7000, name: t, protocol: TCP}]";
        entry(name, &format!("{{hosts: [{name}.test], addresses: [{address}], {ports}}}"))
    };
    let yaml = tcp("a", "10.5.0.0/16") + &tcp("b", "10.5.1.0/24") + &tcp("c", "10.5.1.9/24");
    assert_eq!(
        chains(&set(&yaml), "0.0.0.0_7000"),
        [
            "10.5.0.0/16 -> outbound|7000||a.test",
            "10.5.1.0/24 -> outbound|7000||b.test",
            "else -> PassthroughCluster"
        ]
    );
}

#[test]
fn tls_hosts_without_addresses_are_told_apart_by_name() {
    let tls = |name: &str, protocol: &str| {
        let ports = format!("ports: [{{number: 443, name: t, protocol: {protocol}}}]");
        entry(name, &format!("{{hosts: [{name}.test], {ports}, resolution: DNS}}"))
    };
    let set = set(&(tls("a", "TLS") + &tls("b", "HTTPS")));
    assert_eq!(
        chains(&set, "0.0.0.0_443"),
        [
            "sni a.test -> outbound|443||a.test",
            "sni b.test -> outbound|443||b.test",
            "else -> PassthroughCluster"
        ]
    );
    assert_eq!(inspectors(&set.listeners["0.0.0.0_443"]), ["tls_inspector"]);
}

#[test]
fn tls_rules_replace_the_service_itself_and_an_equal_block_is_never_reached() {
    let route = |subset: &str| format!("route: [{{destination: {{host: s, subset: {subset}}}}}]");
    let block = "match: [{sniHosts: [s.default.svc.cluster.local]}]";
    let spec = format!(
        "{{hosts: [s.default.svc.cluster.local], tls: [{{{block}, {}}}, {{{block}, {}}}]}}",
        route("one"),
        route("two")
    );
    let yaml = service("s", "10.0.0.5", "https", 443, 1) + &rule("VirtualService", "s", &spec);
    assert_eq!(
        chains(&set(&yaml), "10.0.0.5_443"),
        [
            "sni s.default.svc.cluster.local -> outbound|443|one|s.default.svc.cluster.local",
            "else -> PassthroughCluster"
        ]
    );
}

#[test]
fn tcp_rules_of_all_virtual_services_count_up_to_the_first_without_conditions() {
    let route = "route: [{destination: {host: db, subset: a}, weight: 3}, {destination: {host: db, subset: b}, weight: 1}, {destination: {host: db, subset: none}, weight: 0}]";
    let subnet = format!(
        "{{hosts: [db], tcp: [{{match: [{{destinationSubnets: [10.9.0.0/16]}}], {route}}}]}}"
    );
    let other = "{hosts: [db], tcp: [{match: [{sourceLabels: {app: other}}], route: [{destination: {host: x}}]}]}";
    let base = service("db", "10.0.0.3", "tcp", 5432, 1);
    let yaml = base + &rule("VirtualService", "a", other) + &rule("VirtualService", "b", &subnet);
    let host = "db.default.svc.cluster.local";
    assert_eq!(
        chains(&set(&yaml), "10.0.0.3_5432"),
        [
            format!("10.9.0.0/16 -> outbound|5432|a|{host}=3 outbound|5432|b|{host}=1"),
            format!("else -> {}", cluster(5432, "db"))
        ]
    );
}

#[test]
fn idle_time_and_lifetime_come_from_the_top_of_the_rule_and_hashing_from_the_subset() {
    let policy = "{host: db, trafficPolicy: {connectionPool: {tcp: {idleTimeout: 300s, maxConnectionDuration: 1h}}}, subsets: [{name: v1, trafficPolicy: {connectionPool: {tcp: {idleTimeout: 5s}}, loadBalancer: {consistentHash: {useSourceIp: true}}}}]}";
    let route = "{hosts: [db], tcp: [{route: [{destination: {host: db, subset: v1}}]}]}";
    let yaml = service("db", "10.0.0.3", "tcp", 5432, 1)
        + &rule("DestinationRule", "db", policy)
        + &rule("VirtualService", "db", route);
    let set = set(&yaml);
    let proxy = tcp_proxy(&set.listeners["10.0.0.3_5432"].filter_chains[0]);
    assert_eq!(proxy.idle_timeout.unwrap().seconds, 300);
    assert_eq!(proxy.max_downstream_connection_duration.unwrap().seconds, 3600);
    assert_eq!(proxy.hash_policy.len(), 1);
}

const HEADLESS: &str = "
apiVersion: v1
kind: Service
metadata: {name: hl, namespace: default}
spec: {clusterIP: None, ports: [{name: tcp, port: 6379}, {name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: hl-1, namespace: default, labels: {kubernetes.io/service-name: hl}}
addressType: IPv4
ports: [{name: tcp, port: 6379}, {name: http, port: 80}]
endpoints: [{addresses: [10.1.0.1]}, {addresses: [10.1.0.2]}]
";

#[test]
fn headless_tcp_has_a_listener_for_each_pod_but_the_client_itself() {
    let set = set(HEADLESS);
    let expected = ["0.0.0.0_80", "10.1.0.2_6379", "virtualInbound", "virtualOutbound"];
    assert_eq!(names(&set), expected);
}

#[test]
fn a_declared_egress_port_keeps_other_services_out() {
    let spec = "{egress: [{port: {number: 80, protocol: HTTP, name: http}, hosts: ['./a.default.svc.cluster.local']}, {port: {number: 90, protocol: TCP, name: tcp}, bind: 127.0.0.2, captureMode: NONE, hosts: ['./*']}, {hosts: ['./*']}]}";
    let yaml = service("a", "10.0.0.1", "http", 80, 1)
        + &service("b", "10.0.0.2", "tcp", 90, 1)
        + &service("c", "10.0.0.3", "x", 80, 1)
        + &rule("Sidecar", "s", spec);
    let set = set(&yaml);
    assert_eq!(chains(&set, "127.0.0.2_90"), [format!("any -> {}", cluster(90, "b"))]);
    assert_eq!(set.listeners["127.0.0.2_90"].bind_to_port, None);
    assert_eq!(chains(&set, "0.0.0.0_80").len(), 2);
    assert!(set.listeners.contains_key("10.0.0.3_80"));
}

#[test]
fn without_redirection_listeners_are_bound_on_loopback() {
    let proxy = pilotage_model::ProxyClass {
        interception: Some(pilotage_config::mesh::InterceptionMode::None),
        ..sidecar("default", "10.1.0.1")
    };
    let yaml = service("a", "10.0.0.1", "http", 80, 1) + &service("d", "10.0.0.2", "tcp", 90, 1);
    let set = listeners(&given(&yaml, &proxy));
    assert_eq!(names(&set), ["127.0.0.1_80", "127.0.0.1_90"]);
    assert_eq!(chains(&set, "127.0.0.1_80"), ["any -> routes 80"]);
}

#[test]
fn the_explicit_proxy_takes_absolute_urls() {
    let set = listeners(&given_mesh("proxyHttpPort: 15002", "", &sidecar("default", "10.1.0.1")));
    assert_eq!(chains(&set, "127.0.0.1_15002"), ["any -> routes http_proxy"]);
    let manager = manager(&set.listeners["127.0.0.1_15002"].filter_chains[0]);
    assert_eq!(manager.http_protocol_options.unwrap().allow_absolute_url, Some(true));
}

#[test]
fn detection_is_limited_only_where_http_is_looked_for() {
    let yaml = service("d", "10.0.0.2", "tcp", 90, 1) + &service("x", "10.0.0.4", "x", 91, 1);
    let mesh = "protocolDetectionTimeout: 2s";
    let set = listeners(&given_mesh(mesh, &yaml, &sidecar("default", "10.1.0.1")));
    let seconds = |name: &str| set.listeners[name].listener_filters_timeout.unwrap().seconds;
    assert_eq!((seconds("10.0.0.2_90"), seconds("10.0.0.4_91")), (0, 2));
}

#[test]
fn access_logs_follow_the_mesh() {
    let mesh = "{accessLogFile: /dev/stdout, accessLogEncoding: JSON, accessLogFormat: '{\"code\": \"%RESPONSE_CODE%\"}'}";
    let yaml = service("a", "10.0.0.1", "http", 80, 1);
    let set = listeners(&given_mesh(mesh, &yaml, &sidecar("default", "10.1.0.1")));
    let json = pilotage_proto::json::to_value(&*set.listeners["0.0.0.0_80"]).unwrap();
    let log = &json["filterChains"][0]["filters"][0]["typedConfig"]["accessLog"][0]["typedConfig"];
    assert_eq!(log["path"], "/dev/stdout");
    assert_eq!(log["logFormat"]["jsonFormat"]["code"], "%RESPONSE_CODE%");
}

#[test]
fn the_environment_of_proxies_sets_http_1_0_and_idle_times() {
    let mesh =
        "defaultConfig: {proxyMetadata: {ISTIO_META_HTTP10: '1', ISTIO_META_IDLE_TIMEOUT: 90s}}";
    let yaml = service("a", "10.0.0.1", "http", 80, 1) + &service("d", "10.0.0.2", "tcp", 90, 1);
    let set = listeners(&given_mesh(mesh, &yaml, &sidecar("default", "10.1.0.1")));
    let manager = manager(&set.listeners["0.0.0.0_80"].filter_chains[0]);
    assert!(manager.http_protocol_options.unwrap().accept_http_10);
    let idle = manager.common_http_protocol_options.unwrap().idle_timeout.unwrap();
    assert_eq!(idle.seconds, 90);
    let proxy = tcp_proxy(&set.listeners["10.0.0.2_90"].filter_chains[0]);
    assert_eq!(proxy.idle_timeout.unwrap().seconds, 90);
}

#[test]
fn allocated_addresses_count_where_the_proxy_answers_dns() {
    let yaml = "apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: e, namespace: default}
spec: {hosts: [e.test], ports: [{number: 7000, name: t, protocol: TCP}], resolution: STATIC, endpoints: [{address: 1.2.3.4}]}
status: {addresses: [{value: 240.240.0.1, host: e.test}]}
";
    let mut proxy = sidecar("default", "10.1.0.1");
    assert!(listeners(&given(yaml, &proxy)).listeners.contains_key("0.0.0.0_7000"));
    proxy.dns_capture = true;
    let set = listeners(&given(yaml, &proxy));
    assert_eq!(chains(&set, "240.240.0.1_7000"), ["any -> outbound|7000||e.test"]);
}
