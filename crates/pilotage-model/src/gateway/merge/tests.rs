use super::*;
use pilotage_config::load;

fn merged(yaml: &str) -> MergedGateway {
    let loaded = load("test.yaml", yaml);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let objects: Vec<_> = loaded.objects.into_iter().map(Arc::new).collect();
    MergedGateway::merge(&super::super::build(&objects), &Inbound::default())
}

fn gateway(name: &str, servers: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: {name}, namespace: ns}}\nspec: {{servers: [{servers}]}}\n---\n"
    )
}

/// `bind:port protocol: route or "-" …` for each group.
fn shape(merged: &MergedGateway) -> Vec<String> {
    let group = |group: &ServerGroup| {
        let servers = group.servers.iter().map(|s| s.route_name.as_deref().unwrap_or("-"));
        let servers: Vec<&str> = servers.collect();
        format!("{}:{} {}: {}", group.bind, group.port, group.protocol, servers.join(" "))
    };
    merged.groups.iter().map(group).collect()
}

const HTTP: &str = "{port: {number: 80, name: http, protocol: HTTP}, hosts: [a.test]}";
const GRPC: &str = "{port: {number: 80, name: grpc, protocol: GRPC}, hosts: [b.test]}";
const TCP: &str = "{port: {number: 80, name: tcp, protocol: TCP}, hosts: ['*']}";

fn https(port_name: &str, host: &str) -> String {
    format!(
        "{{port: {{number: 80, name: {port_name}, protocol: HTTPS}}, hosts: ['{host}'], tls: {{mode: SIMPLE, credentialName: c}}}}"
    )
}

#[test]
fn plain_http_servers_of_a_port_share_a_route_configuration() {
    let merged = merged(&(gateway("a", HTTP) + &gateway("b", GRPC)));
    assert_eq!(shape(&merged), [":80 HTTP: http.80 http.80"]);
    assert_eq!(merged.servers_of("http.80").count(), 2);
}

#[test]
fn tcp_and_tls_are_shut_out_where_plain_http_came_first() {
    let tls = https("https", "c.test");
    let merged = merged(&(gateway("a", HTTP) + &gateway("b", TCP) + &gateway("c", &tls)));
    assert_eq!(shape(&merged), [":80 HTTP: http.80"]);
}

#[test]
fn plain_http_after_tls_is_kept_and_shuts_out_later_tls() {
    let (first, later) = (https("one", "a.test"), https("two", "c.test"));
    let yaml = gateway("a", &first) + &gateway("b", HTTP) + &gateway("c", &later);
    assert_eq!(shape(&merged(&yaml)), [":80 HTTPS: https.80.one.a.ns", ":80 HTTP: http.80"]);
}

#[test]
fn tls_servers_share_a_port_unless_a_host_is_claimed_already() {
    let (first, other) = (https("one", "a.test"), https("two", "b.test"));
    let same = https("three", "*/a.test");
    let yaml = gateway("a", &first) + &gateway("b", &other) + &gateway("c", &same);
    assert_eq!(shape(&merged(&yaml)), [":80 HTTPS: https.80.one.a.ns https.80.two.b.ns"]);
}

#[test]
fn another_address_is_another_listener() {
    let bound = "{port: {number: 80, name: tcp, protocol: TCP}, hosts: ['*'], bind: 127.0.0.1}";
    let merged = merged(&(gateway("a", HTTP) + &gateway("b", bound)));
    assert_eq!(shape(&merged), [":80 HTTP: http.80", "127.0.0.1:80 TCP: -"]);
}

#[test]
fn everything_among_the_hosts_makes_the_others_superfluous() {
    let hosts: Vec<String> = vec!["./a.test".into(), "*/*".into()];
    assert_eq!(normalized_hosts(&hosts, "ns"), ["*"]);
    let hosts: Vec<String> = vec!["./a.test".into(), "*/b.test".into(), "x/c.test".into()];
    assert_eq!(normalized_hosts(&hosts, "ns"), ["ns/a.test", "b.test", "x/c.test"]);
}
