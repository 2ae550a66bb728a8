//! What upstreams get before the bytes of a connection: PROXY headers, and requests for a tunnel.

use serde_json::{Value, json};

use super::client::Client;
use super::mesh::{Mesh, http2_options};
use super::upstream::Upstream;

/// A cluster whose endpoints are told who their client is.
fn with_proxy_header(version: &str) -> Value {
    const SOCKETS: &str = "type.googleapis.com/envoy.extensions.transport_sockets";
    json!({"transportSocket": {
        "name": "envoy.transport_sockets.upstream_proxy_protocol",
        "typedConfig": {
            "@type": format!("{SOCKETS}.proxy_protocol.v3.ProxyProtocolUpstreamTransport"),
            "config": {"version": version},
            "transportSocket": {
                "name": "envoy.transport_sockets.raw_buffer",
                "typedConfig": {"@type": format!("{SOCKETS}.raw_buffer.v3.RawBuffer")},
            },
        },
    }})
}

#[test]
fn the_proxy_protocol_tells_upstreams_who_the_client_is() {
    // The upstream answers with the line that came first.
    let upstream = Upstream::script(|_, conversation| {
        let line = conversation.0.line();
        while conversation.request().is_some() {
            conversation.answer(200, &line);
        }
    });
    let proxy = Mesh::simple(&[upstream.address])
        .cluster("up", &[upstream.address], with_proxy_header("V1"))
        .start();
    // Connections are not shared between clients: each upstream connection speaks for one.
    for _ in 0..2 {
        let mut client = Client::connect(proxy.gateway());
        let (me, there) = (client.reader.get_ref().local_addr().unwrap(), proxy.gateway());
        let expected = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {} {}", me.port(), there.port());
        assert_eq!(client.get("/").body, expected);
        assert_eq!(client.get("/again").body, expected);
    }
    assert_eq!(upstream.connections(), 2);
    proxy.finish();
}

#[test]
fn bytes_follow_the_binary_proxy_header() {
    let upstream = Upstream::script(|_, conversation| {
        let signature = conversation.0.exactly(12);
        conversation.say(if signature == "\r\n\r\n\0\r\nQUIT\n" { "ok\n" } else { "no\n" });
        // Command and family, length, addresses; the ports are those of the test.
        let mut rest = [0; 16];
        std::io::Read::read_exact(&mut conversation.0.reader, &mut rest).unwrap();
        conversation.say(&format!("{:?}\n", &rest[..12]));
        let bytes = conversation.0.exactly(5);
        conversation.say(&format!("{bytes}\n"));
    });
    let proxy = Mesh::tcp_gateway(json!({"cluster": "up"}))
        .cluster("up", &[upstream.address], with_proxy_header("V2"))
        .start();
    let mut client = Client::connect(proxy.gateway());
    client.send("hello");
    assert_eq!(client.line(), "ok");
    assert_eq!(client.line(), format!("{:?}", [0x21, 0x11, 0, 12, 127, 0, 0, 1, 127, 0, 0, 1]));
    assert_eq!(client.line(), "hello");
    proxy.finish();
}

fn tunnel(post: bool) -> Value {
    let tunneling = json!({"hostname": "far.test:443", "usePost": post});
    json!({"cluster": "up", "tunnelingConfig": tunneling})
}

/// A client hears what `upstream` says early and what it said itself, and then the end.
fn hello_comes_back(route: Value, upstream: &Upstream) {
    let proxy = Mesh::tcp_gateway(route).cluster("up", &[upstream.address], json!({})).start();
    let mut client = Client::connect(proxy.gateway());
    client.send("hello");
    assert_eq!(client.exactly(11), "early hello");
    assert!(client.closed());
    proxy.finish();
}

#[test]
fn another_proxy_is_asked_to_connect() {
    let upstream = Upstream::script(|_, conversation| {
        let head = conversation.request().unwrap();
        assert_eq!(head, "CONNECT far.test:443 HTTP/1.1\nhost: far.test:443\n");
        conversation.say("HTTP/1.1 200 Connected\r\n\r\nearly ");
        let bytes = conversation.0.exactly(5);
        conversation.say(&bytes);
    });
    hello_comes_back(tunnel(false), &upstream);
}

#[test]
fn a_tunnel_may_be_a_post() {
    let upstream = Upstream::script(|_, conversation| {
        let head = conversation.request().unwrap();
        assert!(head.starts_with("POST / HTTP/1.1\nhost: far.test:443\n"), "{head}");
        conversation.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nearly \r\n");
        // No byte of the client comes before the answer.
        let chunk = conversation.0.chunk().unwrap();
        conversation.say(&format!("{:x}\r\n{chunk}\r\n0\r\n\r\n", chunk.len()));
        assert_eq!(conversation.0.chunk(), None);
    });
    hello_comes_back(tunnel(true), &upstream);
}

#[test]
fn a_proxy_that_refuses_is_a_failure_to_connect() {
    let upstream = Upstream::script(|_, conversation| {
        conversation.request();
        conversation.answer(403, "");
    });
    let mut route = tunnel(false);
    route["maxConnectAttempts"] = json!(2);
    let proxy = Mesh::tcp_gateway(route).cluster("up", &[upstream.address], json!({})).start();
    assert!(Client::connect(proxy.gateway()).closed());
    assert_eq!(upstream.connections(), 2);
    let log = proxy.finish();
    assert_eq!(log[0]["response_flags"], "UF,URX");
    assert_eq!(log[0]["upstream_transport_failure_reason"], "tunnel_response:403");
}

#[test]
fn a_tunnel_through_http2_carries_bytes_both_ways() {
    // Our own gateway at the other end takes the POST apart: its HTTP/1 upstream sees the bytes as a body.
    let upstream = Upstream::script(|_, conversation| {
        let head = conversation.request().unwrap();
        assert!(head.starts_with("POST / HTTP/1.1\n"), "{head}");
        conversation.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        let chunk = conversation.0.chunk().unwrap();
        conversation.say(&format!("{:x}\r\n{chunk}\r\n", chunk.len()));
        assert_eq!(conversation.0.chunk(), None);
        conversation.say("4\r\n bye\r\n0\r\n\r\n");
    });
    let far = Mesh::simple(&[upstream.address]).start();
    let near =
        Mesh::tcp_gateway(tunnel(true)).cluster("up", &[far.gateway()], http2_options()).start();
    let mut client = Client::connect(near.gateway());
    client.send("hello");
    assert_eq!(client.exactly(5), "hello");
    client.reader.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.exactly(4), " bye");
    assert!(client.closed());
    assert_eq!(near.finish()[0]["bytes_sent"], 9);
    assert_eq!(far.finish()[0]["protocol"], "HTTP/2");
}
