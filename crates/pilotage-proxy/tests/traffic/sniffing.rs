//! Listeners that look at the first bytes of a connection before they know what to do with it.

use std::io::{Read, Write};

use serde_json::{Value, json};

use super::client::Client;
use super::mesh::{Mesh, listener_filter, tcp_proxy};
use super::tcp::echo;
use super::upstream::Upstream;

const TLS: &str = "tls_inspector.v3.TlsInspector";
const HTTP: &str = "http_inspector.v3.HttpInspector";
const PROXY: &str = "proxy_protocol.v3.ProxyProtocol";

/// A chain to `cluster` under these conditions.
fn chain(conditions: Value, cluster: &str) -> Value {
    json!({"filterChainMatch": conditions, "filters": [tcp_proxy(json!({"cluster": cluster}))]})
}

/// The client hello of TLS 1.2 for this server name, and nothing else.
pub(crate) fn client_hello(name: &str) -> Vec<u8> {
    let sized =
        |data: &[u8]| [&u16::try_from(data.len()).unwrap().to_be_bytes()[..], data].concat();
    let entry = [&[0], &sized(name.as_bytes())[..]].concat();
    let extension = [&[0, 0], &sized(&sized(&entry))[..]].concat();
    let suites = [0, 2, 0xc0, 0x2f];
    let body = [&[3, 3], &[7; 32][..], &[0], &suites[..], &[1, 0], &sized(&extension)].concat();
    let message = [&[1, 0], &sized(&body)[..]].concat();
    [&[22, 3, 1], &sized(&message)[..]].concat()
}

/// Connects and sends `bytes` in two parts; gives who answered.
fn who(address: std::net::SocketAddr, bytes: &[u8]) -> Client {
    let mut client = Client::connect(address);
    let (one, two) = bytes.split_at(bytes.len() / 2);
    client.reader.get_mut().write_all(one).unwrap();
    client.reader.get_mut().write_all(two).unwrap();
    client
}

#[test]
fn the_server_name_of_tls_decides_and_no_byte_is_lost() {
    let (a, b) = (echo("a"), echo("b"));
    let proxy = Mesh::default()
        .raw_listener(
            "gateway",
            8443,
            json!({
                "listenerFilters": [listener_filter(TLS)],
                "filterChains": [
                    chain(json!({"serverNames": ["a.example.com"]}), "a"),
                    chain(json!({"serverNames": ["*.example.com"]}), "b"),
                ],
            }),
        )
        .cluster("a", &[a.address], json!({}))
        .cluster("b", &[b.address], json!({}))
        .start();
    for (name, expected) in [("a.example.com", "a"), ("A.Example.COM", "a"), ("c.example.com", "b")]
    {
        let hello = client_hello(name);
        let mut client = who(proxy.gateway(), &hello);
        assert_eq!(client.line(), expected, "{name}");
        let mut echoed = vec![0; hello.len()];
        client.reader.read_exact(&mut echoed).unwrap();
        assert!(echoed == hello, "{name}");
    }
    assert!(who(proxy.gateway(), &client_hello("example.org")).closed());
    assert!(who(proxy.gateway(), b"no TLS at all").closed());
    let log = proxy.finish();
    let refused: Vec<_> = log.iter().filter(|line| line["response_flags"] == "NR").collect();
    assert_eq!(refused.len(), 2, "{log:?}");
    assert_eq!(refused[0]["requested_server_name"], "example.org");
    assert_eq!(refused[0]["response_code_details"], "filter_chain_not_found");
    assert_eq!(refused[1]["requested_server_name"], Value::Null);
}

/// A listener that tells HTTP, TLS and other bytes apart, as Istio's do for ports whose protocol is not declared.
fn sniffing(limit: &str) -> Mesh {
    let mut mesh = Mesh::gateway(json!([{"match": {"prefix": "/"}, "route": {"cluster": "http"}}]));
    let manager = mesh.filters("gateway");
    mesh = mesh.raw_listener(
        "gateway",
        8080,
        json!({
            "listenerFilters": [listener_filter(TLS), listener_filter(HTTP)],
            "listenerFiltersTimeout": limit,
            "continueOnListenerFiltersTimeout": true,
            "filterChains": [
                {"filterChainMatch": {"transportProtocol": "raw_buffer",
                    "applicationProtocols": ["http/1.1", "h2c"]}, "filters": manager},
                chain(json!({"transportProtocol": "tls"}), "tls"),
            ],
            "defaultFilterChain": chain(json!({}), "bytes"),
        }),
    );
    mesh
}

#[test]
fn http_tls_and_other_bytes_are_told_apart() {
    let (http, tls, bytes) = (Upstream::fixed("http"), echo("tls"), echo("bytes"));
    let proxy = sniffing("0s")
        .cluster("http", &[http.address], json!({}))
        .cluster("tls", &[tls.address], json!({}))
        .cluster("bytes", &[bytes.address], json!({}))
        .start();
    let mut client = who(proxy.gateway(), b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(client.reply().body, "http");
    assert_eq!(client.get("/again").body, "http");
    assert_eq!(who(proxy.gateway(), &client_hello("x")).line(), "tls");
    for other in
        [&b"SSH-2.0-test\r\n"[..], b"GET / HTTP/1.0\r\n\r\n", b"\0\0\0\x08\x04\xd2\x16\x2f"]
    {
        assert_eq!(who(proxy.gateway(), other).line(), "bytes");
    }
    proxy.finish();
}

#[test]
fn a_silent_client_gets_to_a_server_that_speaks_first() {
    let bytes = echo("greeting");
    let none = Upstream::fixed("");
    let proxy = sniffing("0.05s")
        .cluster("http", &[none.address], json!({}))
        .cluster("tls", &[none.address], json!({}))
        .cluster("bytes", &[bytes.address], json!({}))
        .start();
    let mut client = Client::connect(proxy.gateway());
    assert_eq!(client.line(), "greeting");
    client.send("well\n");
    assert_eq!(client.line(), "well");
    // What came before the time was over is not lost.
    let mut client = Client::connect(proxy.gateway());
    client.send("GET / HT");
    assert_eq!(client.line(), "greeting");
    assert_eq!(client.exactly(8), "GET / HT");
    proxy.finish();
}

#[test]
fn without_leave_to_go_on_a_silent_client_is_shut_out() {
    let proxy = Mesh::default()
        .raw_listener(
            "gateway",
            8443,
            json!({
                "listenerFilters": [listener_filter(TLS)],
                "listenerFiltersTimeout": "0.05s",
                "filterChains": [chain(json!({}), "missing")],
            }),
        )
        .start();
    assert!(Client::connect(proxy.gateway()).closed());
    assert_eq!(proxy.finish(), [] as [Value; 0]);
}

#[test]
fn a_server_name_may_name_the_cluster() {
    let (db, other) = (echo("db"), echo("other"));
    let by_name = json!({"name": "sni", "typedConfig": {"@type":
        "type.googleapis.com/envoy.extensions.filters.network.sni_cluster.v3.SniCluster"}});
    let fields = json!({
        "listenerFilters": [listener_filter(TLS)],
        "filterChains": [{"filters": [by_name, tcp_proxy(json!({"cluster": "other"}))]}],
    });
    let name = "outbound_.5432_.v1_.db.test";
    let proxy = Mesh::default()
        .raw_listener("gateway", 15443, fields)
        .cluster(name, &[db.address], json!({}))
        .cluster("other", &[other.address], json!({}))
        .start();
    assert_eq!(who(proxy.gateway(), &client_hello(name)).line(), "db");
    assert_eq!(who(proxy.gateway(), b"no TLS").line(), "other");
    assert!(who(proxy.gateway(), &client_hello("outbound_.5432_.v2_.db.test")).closed());
    let log = proxy.finish();
    let flags = |cluster: &Value| {
        &log.iter().find(|l| l["upstream_cluster"] == *cluster).unwrap()["response_flags"]
    };
    assert_eq!(flags(&json!(name)), &Value::Null);
    assert_eq!(flags(&Value::Null), "NC");
}

#[test]
fn a_load_balancer_tells_who_the_client_is() {
    let (near, far) = (echo("near"), echo("far"));
    let from =
        |prefix: &str| json!({"sourcePrefixRanges": [{"addressPrefix": prefix, "prefixLen": 24}]});
    let proxy = Mesh::default()
        .raw_listener(
            "gateway",
            8080,
            json!({
                "listenerFilters": [listener_filter(PROXY)],
                "filterChains": [chain(from("192.0.2.0"), "far"), chain(from("127.0.0.0"), "near")],
            }),
        )
        .cluster("near", &[near.address], json!({}))
        .cluster("far", &[far.address], json!({}))
        .start();
    let mut client = who(proxy.gateway(), b"PROXY TCP4 192.0.2.7 10.0.0.1 4321 80\r\nbytes");
    assert_eq!(client.line(), "far");
    assert_eq!(client.exactly(5), "bytes");
    drop(client);
    assert_eq!(who(proxy.gateway(), b"PROXY UNKNOWN\r\n").line(), "near");
    assert!(who(proxy.gateway(), b"GET / HTTP/1.1\r\n\r\n").closed());
    let log = proxy.finish();
    let far = log.iter().find(|line| line["upstream_cluster"] == "far").unwrap();
    assert_eq!(far["downstream_remote_address"], "192.0.2.7:4321");
    assert_eq!(far["downstream_local_address"], "10.0.0.1:80");
}
