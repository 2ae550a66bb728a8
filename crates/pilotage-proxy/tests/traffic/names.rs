//! Clusters whose endpoints are DNS names.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Client, get};
use super::mesh::{Mesh, listener_filter, tcp_proxy};
use super::name_server::NameServer;
use super::sniffing::client_hello;
use super::tcp::echo;
use super::upstream::{Silent, Upstream};

#[test]
fn the_first_request_to_a_new_cluster_waits_for_its_names() {
    let upstream = Upstream::fixed("ok");
    let named = |host: &str| {
        let address =
            json!({"socketAddress": {"address": host, "portValue": upstream.address.port()}});
        json!({
            "type": "STRICT_DNS",
            "dnsLookupFamily": "V4_ONLY",
            "loadAssignment": {"clusterName": "up", "endpoints":
                [{"lbEndpoints": [{"endpoint": {"address": address}}]}]},
        })
    };
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]);
    let proxy = Mesh::gateway(routes).cluster("up", &[], named("localhost")).start();
    assert_eq!(get(proxy.gateway(), "/").body, "ok");
    proxy.finish();
}

/// A cluster of the one endpoint that `host` is.
fn logical(host: &str, port: u16, more: Value) -> Value {
    let address = json!({"socketAddress": {"address": host, "portValue": port}});
    let mut cluster = json!({
        "type": "LOGICAL_DNS",
        "dnsLookupFamily": "ALL",
        "loadAssignment": {"clusterName": "up", "endpoints":
            [{"lbEndpoints": [{"endpoint": {"address": address}}]}]},
    });
    for (key, value) in more.as_object().unwrap() {
        cluster[key] = value.clone();
    }
    cluster
}

#[test]
fn an_endpoint_with_several_addresses_is_reached_by_the_one_that_answers() {
    let upstream = Upstream::fixed("ok");
    let port = upstream.address.port();
    // Nobody listens at the first two; the second is of the other family, and tried second.
    let names = NameServer::start(&[("both.test", &["127.0.0.77", "127.0.0.1", "::1"])]);
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]);
    let mesh = Mesh::gateway(routes).cluster("up", &[], logical("both.test", port, json!({})));
    let proxy = mesh.start_with(|config| config.name_servers = vec![names.address]);
    assert_eq!(get(proxy.gateway(), "/").body, "ok");
    let mut asked = names.asked();
    asked.sort();
    assert_eq!(asked, ["both.test A", "both.test AAAA"]);
    proxy.finish();
}

#[test]
fn an_address_that_keeps_silent_is_not_waited_for() {
    let upstream = Upstream::fixed("ok");
    // Connections to it are neither taken nor refused: its queue is full.
    let silent = Silent::at(upstream.address.port());
    let endpoint = |address: SocketAddr| {
        let (ip, port) = (address.ip().to_string(), address.port());
        json!({"socketAddress": {"address": ip, "portValue": port}})
    };
    let several = json!({
        "connectTimeout": "15s",
        "loadAssignment": {"clusterName": "up", "endpoints": [{"lbEndpoints": [{"endpoint": {
            "address": endpoint(silent.address),
            "additionalAddresses": [{"address": endpoint(upstream.address)}],
        }}]}]},
    });
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]);
    let proxy = Mesh::gateway(routes).cluster("up", &[], several).start();
    let start = Instant::now();
    assert_eq!(get(proxy.gateway(), "/").body, "ok");
    assert!(start.elapsed() >= Duration::from_millis(300), "the first has its head start");
    assert!(start.elapsed() < Duration::from_secs(15), "and no more than that");
    proxy.finish();
}

/// A cluster that leads wherever requests say.
fn wherever() -> Value {
    let config =
        "type.googleapis.com/envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig";
    json!({
        "type": null,
        "loadAssignment": null,
        "lbPolicy": "CLUSTER_PROVIDED",
        "clusterType": {"name": "envoy.clusters.dynamic_forward_proxy", "typedConfig":
            {"@type": config, "dnsCacheConfig": {"name": "cache", "dnsLookupFamily": "V4_ONLY"}}},
    })
}

/// The filters of a connection manager, with the one that resolves hosts.
fn resolving() -> Value {
    let kind = "type.googleapis.com/envoy.extensions.filters.http";
    json!([
        {"name": "envoy.filters.http.dynamic_forward_proxy", "typedConfig": {
            "@type": format!("{kind}.dynamic_forward_proxy.v3.FilterConfig"),
            "dnsCacheConfig": {"name": "cache", "dnsLookupFamily": "V4_ONLY"}}},
        {"name": "envoy.filters.http.router", "typedConfig": {
            "@type": format!("{kind}.router.v3.Router")}},
    ])
}

#[test]
fn requests_go_where_their_host_is() {
    let upstream = Upstream::script(|_, conversation| {
        while let Some(head) = conversation.request() {
            let host = head.lines().find(|line| line.starts_with("host:")).unwrap().to_owned();
            conversation.answer(200, &host);
        }
    });
    let port = upstream.address.port();
    let names = NameServer::start(&[("a.wild.test", &["127.0.0.1"])]);
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]);
    let proxy = Mesh::gateway(routes)
        .manager("gateway", json!({"httpFilters": resolving()}))
        .cluster("up", &[], wherever())
        .start_with(|config| config.name_servers = vec![names.address]);
    let mut client = Client::connect(proxy.gateway());
    let mut ask = |host: &str| {
        client.send(&format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n"));
        client.reply()
    };
    for _ in 0..3 {
        let host = format!("a.wild.test:{port}");
        assert_eq!(ask(&host).body, format!("host: {host}"));
    }
    assert_eq!(names.asked(), ["a.wild.test A"], "an answer is remembered");
    let unknown = ask(&format!("b.wild.test:{port}"));
    assert_eq!((unknown.status, unknown.body.as_str()), (503, "DNS resolution failure"));
    // Addresses need no name server.
    assert_eq!(ask(&format!("127.0.0.1:{port}")).status, 200);
    // A name that appears is found: failures are not remembered for long.
    names.learn("b.wild.test", "127.0.0.1");
    let deadline = Instant::now() + Duration::from_secs(20);
    while ask(&format!("b.wild.test:{port}")).status != 200 {
        assert!(Instant::now() < deadline, "the name is never found");
        std::thread::yield_now();
    }
    let log = proxy.finish();
    let failed = log.iter().find(|line| line["response_code"] == 503).unwrap();
    assert_eq!(failed["response_flags"], "DF");
    assert_eq!(failed["upstream_cluster"], "up");
}

#[test]
fn connections_go_where_the_server_is_that_they_name() {
    let upstream = echo("a");
    let names = NameServer::start(&[("a.wild.test", &["127.0.0.1"])]);
    let forwarding = json!({
        "name": "envoy.extensions.filters.network.sni_dynamic_forward_proxy",
        "typedConfig": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.\
                      sni_dynamic_forward_proxy.v3.FilterConfig",
            "dnsCacheConfig": {"name": "cache", "dnsLookupFamily": "V4_ONLY"},
            "portValue": upstream.address.port(),
        },
    });
    let filters = json!([forwarding, tcp_proxy(json!({"cluster": "up"}))]);
    let listener = json!({
        "listenerFilters": [listener_filter("tls_inspector.v3.TlsInspector")],
        "filterChains": [{"filters": filters}],
    });
    let proxy = Mesh::default()
        .raw_listener("gateway", 8443, listener)
        .cluster("up", &[], wherever())
        .start_with(|config| config.name_servers = vec![names.address]);
    let hello = client_hello("a.wild.test");
    let mut client = Client::connect(proxy.gateway());
    client.reader.get_mut().write_all(&hello).unwrap();
    assert_eq!(client.line(), "a");
    let mut echoed = vec![0; hello.len()];
    client.reader.read_exact(&mut echoed).unwrap();
    assert!(echoed == hello);
    let mut unknown = Client::connect(proxy.gateway());
    unknown.reader.get_mut().write_all(&client_hello("b.wild.test")).unwrap();
    assert!(unknown.closed());
    let mut nameless = Client::connect(proxy.gateway());
    nameless.send("no TLS at all");
    assert!(nameless.closed());
    drop(client);
    let log = proxy.finish();
    let flags = |name: Value| {
        let line = log.iter().find(|line| line["requested_server_name"] == name).unwrap();
        line["response_flags"].clone()
    };
    assert_eq!(flags(json!("b.wild.test")), "DF");
    assert_eq!(flags(Value::Null), "UH");
}
