//! What the application sends.

use std::net::SocketAddr;

use pilotage_proxy::{Lines, ProxyHandle};

use super::stage::{self, finish, run, say, upstream};

#[test]
fn redirected_connections_go_where_they_were_going() {
    stage::in_namespace(
        "outbound::redirected_connections_go_where_they_were_going",
        &["10.9.0.1", "10.9.0.2", "10.9.0.20", "10.9.0.21", "fd09::1", "fd09::2"],
        inside,
    );
}

fn inside() {
    let (db, web) = (upstream("127.0.0.1:0", "db"), upstream("127.0.0.1:0", "web"));
    let outside = upstream("10.9.0.2:0", "outside");
    let outside_v6 = upstream("[fd09::2]:0", "outside6");

    let (proxy, lines) = start("127.0.0.1:0", &rules(db, web), "ALLOW_ANY");
    let port = proxy.outbound_address().unwrap().port();
    run(&format!(
        "iptables -t nat -A OUTPUT -p tcp -s 10.9.0.1 -d 10.9.0.0/24 -j REDIRECT --to-ports {port}"
    ));
    // A declared TCP service by its address.
    assert_eq!(say("10.9.0.1", "10.9.0.20:5432", "hello"), "db|hello");
    // An undeclared port: HTTP is routed as requests, other bytes go as they are.
    let request = "GET / HTTP/1.1\r\nhost: web.test:8000\r\nconnection: close\r\n\r\n";
    let answered = say("10.9.0.1", "10.9.0.21:8000", request);
    assert!(answered.contains("x-request-id"), "{answered}");
    assert_eq!(say("10.9.0.1", "10.9.0.21:8000", "\u{1}bytes"), "web|\u{1}bytes");
    // What the mesh does not know.
    assert_eq!(say("10.9.0.1", &outside.to_string(), "hello"), "outside|hello");
    // Without redirection the port is an HTTP proxy.
    let unknown = say(
        "127.0.0.1",
        &format!("127.0.0.1:{port}"),
        "GET / HTTP/1.1\r\nconnection: close\r\n\r\n",
    );
    assert!(unknown.starts_with("HTTP/1.1 400"), "{unknown}");
    let log = finish(proxy, &lines);
    let to = |address: &str| log.iter().find(|l| l["downstream_local_address"] == address);
    let cluster = |address: &str| to(address).unwrap()["upstream_cluster"].clone();
    assert_eq!(cluster("10.9.0.20:5432"), "outbound|5432||db.test");
    assert_eq!(cluster("10.9.0.21:8000"), "outbound|8000||web.test");
    assert_eq!(cluster(&outside.to_string()), "PassthroughCluster");
    assert!(
        to("10.9.0.20:5432").unwrap()["downstream_remote_address"]
            .as_str()
            .unwrap()
            .starts_with("10.9.0.1:")
    );
    run("iptables -t nat -F OUTPUT");

    let (proxy, lines) = start("127.0.0.1:0", &rules(db, web), "REGISTRY_ONLY");
    let port = proxy.outbound_address().unwrap().port();
    run(&format!(
        "iptables -t nat -A OUTPUT -p tcp -s 10.9.0.1 -d 10.9.0.0/24 -j REDIRECT --to-ports {port}"
    ));
    assert_eq!(say("10.9.0.1", "10.9.0.20:5432", "hello"), "db|hello");
    assert_eq!(say("10.9.0.1", &outside.to_string(), "hello"), "");
    let log = finish(proxy, &lines);
    let refused = log.iter().find(|l| l["upstream_cluster"] == "BlackHoleCluster").unwrap();
    assert_eq!(refused["response_flags"], "UH");

    let (proxy, lines) = start("[::1]:0", "", "ALLOW_ANY");
    let port = proxy.outbound_address().unwrap().port();
    run(&format!(
        "ip6tables -t nat -A OUTPUT -p tcp -s fd09::1 -d fd09::/64 -j REDIRECT --to-ports {port}"
    ));
    assert_eq!(say("fd09::1", &outside_v6.to_string(), "hello"), "outside6|hello");
    let log = finish(proxy, &lines);
    assert_eq!(log[0]["downstream_local_address"], outside_v6.to_string());
}

/// T25. Addresses that are excluded from capture (`traffic.sidecar.istio.io/excludeOutboundIPRanges`) are reached even where
/// the mesh refuses what it does not know, and nothing tells of the proxy.
#[test]
fn addresses_that_are_excluded_from_capture_are_reached_directly() {
    stage::in_namespace(
        "outbound::addresses_that_are_excluded_from_capture_are_reached_directly",
        &["10.9.0.1", "10.9.0.2", "10.9.0.3"],
        || {
            let (direct, captured) = (upstream("10.9.0.2:80", "a"), upstream("10.9.0.3:80", "b"));
            let (proxy, lines) = start("127.0.0.1:0", "", "REGISTRY_ONLY");
            let port = proxy.outbound_address().unwrap().port();
            run("iptables -t nat -A OUTPUT -p tcp -s 10.9.0.1 -d 10.9.0.2/32 -j RETURN");
            run(&format!(
                "iptables -t nat -A OUTPUT -p tcp -s 10.9.0.1 -d 10.9.0.0/24 -j REDIRECT --to-ports {port}"
            ));
            let request = "GET /x HTTP/1.1\r\nhost: outside.test\r\nconnection: close\r\n\r\n";
            let answer = say("10.9.0.1", &direct.to_string(), request);
            let (head, seen) = answer.split_once("\r\n\r\n").unwrap();
            assert_eq!(head.lines().next(), Some("HTTP/1.1 200 OK"));
            assert!(!head.contains("server:") && !head.contains("x-envoy"), "{head}");
            assert_eq!(seen, request, "the server sees what the client has sent");
            assert_eq!(say("10.9.0.1", &direct.to_string(), "bytes"), "a|bytes");
            assert_eq!(say("10.9.0.1", &captured.to_string(), request), "", "nobody knows it");
            let log = finish(proxy, &lines);
            let to: Vec<_> = log.iter().map(|line| &line["downstream_local_address"]).collect();
            assert_eq!(to, [&captured.to_string()]);
        },
    );
}

fn rules(db: SocketAddr, web: SocketAddr) -> String {
    let entry = |name: &str, address: &str, port: &str, endpoint: SocketAddr| {
        format!(
            "apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: default}}
spec:
  hosts: [{name}.test]
  addresses: [{address}]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{{{port}, name: main}}]
  endpoints: [{{address: {}, ports: {{main: {}}}}}]
",
            endpoint.ip(),
            endpoint.port()
        )
    };
    let db = entry("db", "10.9.0.20", "number: 5432, protocol: TCP", db);
    let web = entry("web", "10.9.0.21", "number: 8000", web);
    format!("{db}---\n{web}")
}

/// A sidecar's proxy with its outbound port at `address`.
fn start(address: &str, rules: &str, policy: &str) -> (ProxyHandle, Lines) {
    let mesh = format!("outboundTrafficPolicy: {{mode: {policy}}}");
    let ip = if address.starts_with('[') { "fd09::1" } else { "10.9.0.1" };
    stage::start(rules, &mesh, ip, |config| {
        config.outbound_address = Some(address.parse().unwrap());
    })
}
