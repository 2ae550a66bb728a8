//! Connections that are not HTTP.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use serde_json::{Value, json};

use super::client::Client;
use super::connect::connect;
use super::mesh::{Mesh, Running, tcp_proxy};
use super::upstream::{Upstream, nowhere};

/// An upstream that says who it is, and then the same as its client.
pub(crate) fn echo(name: &'static str) -> Upstream {
    Upstream::script(move |_, conversation| {
        conversation.say(&format!("{name}\n"));
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = conversation.0.reader.read(&mut buffer) {
            conversation.0.reader.get_mut().write_all(&buffer[..count]).ok();
        }
    })
}

/// What the proxy sends on a connection over which the client says nothing more.
fn rest(client: &mut Client) -> String {
    client.reader.get_ref().shutdown(Shutdown::Write).unwrap();
    let mut text = String::new();
    client.reader.read_to_string(&mut text).unwrap();
    text
}

/// The metrics lines that begin with `name`, as `flags: value`.
fn metric(proxy: &Running, name: &str) -> Vec<String> {
    let text = proxy.prometheus();
    let lines = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
    let short = lines.map(|line| {
        let flags = line.split("response_flags=\"").nth(1).unwrap().split('"').next().unwrap();
        format!("{flags}: {}", line.rsplit(' ').next().unwrap())
    });
    short.collect()
}

#[test]
fn bytes_go_both_ways_until_each_side_has_ended() {
    let (told, heard) = channel();
    let upstream = Upstream::script(move |_, conversation| {
        let mut all = String::new();
        conversation.0.reader.read_to_string(&mut all).unwrap();
        told.send(all).unwrap();
        // The client has ended its side; this side is still open.
        conversation.say("an answer all the same");
    });
    let name = "outbound|5432|v1|db.shop.svc.cluster.local";
    let proxy = Mesh::tcp_gateway(json!({"cluster": name}))
        .cluster(name, &[upstream.address], json!({}))
        .start();
    let mut client = Client::connect(proxy.gateway());
    client.send("some bytes");
    assert_eq!(rest(&mut client), "an answer all the same");
    assert_eq!(heard.recv().unwrap(), "some bytes");
    let (bound, peer) = (proxy.gateway(), client.reader.get_ref().local_addr().unwrap());
    drop(client);
    // What a worker has passed on is counted before it does anything else.
    assert_eq!(connect(&proxy, "nonsense", "").0, 400);
    let metrics = proxy.prometheus();
    let opened = metrics.lines().find(|l| l.starts_with("istio_tcp_connections_opened_total{"));
    for label in [
        "reporter=\"source\"",
        "destination_service=\"db.shop.svc.cluster.local\"",
        "destination_service_name=\"db\"",
        "destination_version=\"v1\"",
        "request_protocol=\"tcp\"",
        "response_flags=\"-\"",
    ] {
        assert!(opened.unwrap().contains(label), "{label} in {opened:?}");
    }
    assert!(!opened.unwrap().contains("response_code"), "{opened:?}");
    assert_eq!(metric(&proxy, "istio_tcp_received_bytes_total"), ["-: 10"]);
    assert_eq!(metric(&proxy, "istio_tcp_sent_bytes_total"), ["-: 22"]);
    let log = proxy.finish();
    assert_eq!(log.len(), 1, "{log:?}");
    for (key, expected) in [
        ("response_code", json!(0)),
        ("bytes_received", json!(10)),
        ("bytes_sent", json!(22)),
        ("upstream_cluster", json!(name)),
        ("upstream_host", json!(upstream.address.to_string())),
        ("downstream_local_address", json!(bound.to_string())),
        ("downstream_remote_address", json!(peer.to_string())),
        ("method", Value::Null),
        ("protocol", Value::Null),
        ("path", Value::Null),
        ("response_flags", Value::Null),
    ] {
        assert_eq!(log[0][key], expected, "{key}");
    }
}

#[test]
fn megabytes_pass_while_the_other_side_is_slow() {
    const BYTES: usize = 8 << 20;
    let upstream = Upstream::script(|_, conversation| {
        let text = "0123456789abcdef".repeat(BYTES / 16);
        conversation.say(&text);
    });
    let proxy = Mesh::tcp_gateway(json!({"cluster": "up"}))
        .cluster("up", &[upstream.address], json!({}))
        .start();
    let mut client = Client::connect(proxy.gateway());
    // Reads nothing until the proxy has taken in what it can.
    assert_eq!(client.exactly(16), "0123456789abcdef");
    let text = rest(&mut client);
    assert_eq!(text.len(), BYTES - 16);
    assert!(text.as_bytes().chunks(16).all(|part| part == b"0123456789abcdef"));
    proxy.finish();
}

#[test]
fn weights_share_connections_out() {
    let (a, b) = (echo("a"), echo("b"));
    let clusters = json!({"clusters": [{"name": "a", "weight": 75}, {"name": "b", "weight": 25}]});
    let proxy = Mesh::tcp_gateway(json!({"weightedClusters": clusters}))
        .cluster("a", &[a.address], json!({}))
        .cluster("b", &[b.address], json!({}))
        .start();
    let count = 400;
    let to_a = (0..count).filter(|_| Client::connect(proxy.gateway()).line() == "a").count();
    // 300 are expected with a deviation of 8.7; five deviations are passed once in two million runs.
    assert!((257..=343).contains(&to_a), "{to_a} of {count}");
    proxy.finish();
}

#[test]
fn what_keeps_a_connection_from_its_upstream_is_told_by_flags() {
    let broken = [nowhere()];
    for (cluster, endpoints, attempts, more, flags) in [
        ("none", &[][..], 1, json!({}), "UH"),
        ("refuses", &broken[..], 3, json!({}), "UF,URX"),
        ("missing", &[][..], 1, Value::Null, "NC"),
        (
            "full",
            &broken[..],
            1,
            json!({"circuitBreakers": {"thresholds": [{"maxConnections": 0}]}}),
            "UO",
        ),
    ] {
        let route = json!({"cluster": cluster, "maxConnectAttempts": attempts});
        let mut mesh = Mesh::tcp_gateway(route);
        if !more.is_null() {
            mesh = mesh.cluster(cluster, endpoints, more);
        }
        let proxy = mesh.start();
        assert!(Client::connect(proxy.gateway()).closed(), "{cluster}");
        let refused = metric(&proxy, "istio_tcp_connections_closed_total");
        let stats = proxy.stats();
        if cluster == "refuses" {
            assert!(stats.contains("cluster.refuses.upstream_cx_connect_fail: 3"), "{stats}");
        }
        let log = proxy.finish();
        assert_eq!(log[0]["response_flags"], flags, "{cluster}");
        if cluster == "missing" {
            assert_eq!(log[0]["upstream_cluster"], Value::Null);
        } else {
            assert_eq!(log[0]["upstream_cluster"], cluster);
        }
        assert!(refused.contains(&format!("{flags}: 1")), "{cluster} {refused:?}");
    }
}

#[test]
fn the_circuit_breaker_counts_connections_that_are_open() {
    let upstream = echo("up");
    let limits = json!({"circuitBreakers": {"thresholds": [{"maxConnections": 1}]}});
    let proxy = Mesh::tcp_gateway(json!({"cluster": "up"}))
        .cluster("up", &[upstream.address], limits)
        .start();
    let mut first = Client::connect(proxy.gateway());
    assert_eq!(first.line(), "up");
    assert!(Client::connect(proxy.gateway()).closed());
    assert_eq!(rest(&mut first), "");
    // The first connection has ended everywhere when the proxy has closed it.
    assert_eq!(Client::connect(proxy.gateway()).line(), "up");
    let log = proxy.finish();
    assert_eq!(log[0]["response_flags"], "UO");
}

#[test]
fn connections_end_when_idle_or_too_old() {
    let (release, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let upstream = Upstream::script(move |_, _conversation| {
        wait.lock().unwrap().recv().ok();
    });
    for (limit, flags) in
        [("idleTimeout", Value::Null), ("maxDownstreamConnectionDuration", json!("DT"))]
    {
        let mut route = json!({"cluster": "up"});
        route[limit] = json!("0.05s");
        let proxy = Mesh::tcp_gateway(route).cluster("up", &[upstream.address], json!({})).start();
        assert!(Client::connect(proxy.gateway()).closed(), "{limit}");
        assert_eq!(proxy.finish()[0]["response_flags"], flags, "{limit}");
    }
    drop(release);
}

#[test]
fn a_reset_of_the_upstream_is_one_for_the_client() {
    let upstream = Upstream::script(|_, conversation| {
        conversation.0.exactly(1);
        let socket = socket2::SockRef::from(conversation.0.reader.get_ref());
        socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
    });
    let proxy = Mesh::tcp_gateway(json!({"cluster": "up"}))
        .cluster("up", &[upstream.address], json!({}))
        .start();
    let mut client = Client::connect(proxy.gateway());
    client.send("x");
    let error = client.reader.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(proxy.finish()[0]["response_flags"], "UR");
}

#[test]
fn a_reload_leaves_connections_alone() {
    let upstream = echo("up");
    let mesh = Mesh::tcp_gateway(json!({"cluster": "up"}));
    let proxy = mesh.clone().cluster("up", &[upstream.address], json!({})).start();
    let mut client = Client::connect(proxy.gateway());
    assert_eq!(client.line(), "up");
    let other = echo("other");
    let chains = json!({"filterChains": [{"filters": [tcp_proxy(json!({"cluster": "other"}))]}]});
    let next = Mesh::default().raw_listener("gateway", 8080, chains).cluster(
        "other",
        &[other.address],
        json!({}),
    );
    proxy.publish(&next);
    client.send("still here\n");
    assert_eq!(client.line(), "still here");
    assert_eq!(Client::connect(proxy.gateway()).line(), "other");
    drop(client);
    proxy.finish();
}
