//! Unhappy answers: Envoy's status, body, response flag and details for each.

use std::sync::mpsc::channel;

use serde_json::{Value, json};

use super::client::{Client, get};
use super::mesh::Mesh;
use super::upstream::{Upstream, nowhere};

fn routed(route: Value) -> Mesh {
    Mesh::gateway(json!([{"match": {"prefix": "/"}, "route": route}]))
}

/// Sends one GET; gives status, body, flags and details.
fn outcome(mesh: Mesh) -> (u16, String, String, String) {
    let proxy = mesh.start();
    let reply = get(proxy.gateway(), "/");
    let log = proxy.finish();
    let text = |key: &str| log[0][key].as_str().unwrap_or("-").to_owned();
    assert_eq!(log[0]["response_code"], reply.status);
    (reply.status, reply.body, text("response_flags"), text("response_code_details"))
}

fn expect(mesh: Mesh, status: u16, flags: &str, details: &str, body: &str) {
    let expected = (status, body.to_owned(), flags.to_owned(), details.to_owned());
    assert_eq!(outcome(mesh), expected);
}

#[test]
fn no_route() {
    let mesh = Mesh::gateway(json!([{"match": {"path": "/x"}, "directResponse": {"status": 200}}]));
    expect(mesh, 404, "NR", "route_not_found", "");
}

#[test]
fn no_cluster() {
    expect(routed(json!({"cluster": "gone"})), 503, "NC", "cluster_not_found", "");
}

#[test]
fn no_endpoint() {
    let mesh = Mesh::simple(&[]);
    expect(mesh, 503, "UH", "no_healthy_upstream", "no healthy upstream");
}

#[test]
fn connection_refused() {
    let mesh = Mesh::simple(&[nowhere()]);
    expect(
        mesh,
        503,
        "UF",
        "upstream_reset_before_response_started{remote_connection_failure|\
         delayed_connect_error:_Connection_refused}",
        "upstream connect error or disconnect/reset before headers. reset reason: \
         remote connection failure",
    );
}

#[test]
fn upstream_closes() {
    let upstream = Upstream::script(|_, conversation| drop(conversation.request()));
    let mesh = Mesh::simple(&[upstream.address]);
    expect(
        mesh,
        503,
        "UC",
        "upstream_reset_before_response_started{connection_termination}",
        "upstream connect error or disconnect/reset before headers. reset reason: \
         connection termination",
    );
}

#[test]
fn upstream_speaks_nonsense() {
    let upstream = Upstream::script(|_, conversation| {
        conversation.request();
        conversation.say("what?\r\n\r\n");
    });
    let (status, _, flags, _) = outcome(Mesh::simple(&[upstream.address]));
    assert_eq!((status, flags.as_str()), (502, "UPE"));
}

#[test]
fn route_timeout() {
    // The upstream answers only when the test is over.
    let upstream = Upstream::script(|_, conversation| {
        conversation.request();
        conversation.request();
    });
    let mesh = routed(json!({"cluster": "up", "timeout": "0.020s"})).cluster(
        "up",
        &[upstream.address],
        json!({}),
    );
    expect(mesh, 504, "UT", "response_timeout", "upstream request timeout");
}

#[test]
fn circuit_breaker() {
    let (entered, waiting) = channel();
    let (release, released) = channel::<()>();
    let released = std::sync::Mutex::new(released);
    let upstream = Upstream::script(move |_, conversation| {
        conversation.request();
        entered.send(()).unwrap();
        released.lock().unwrap().recv().unwrap();
        conversation.answer(200, "done");
    });
    let breakers = json!({"circuitBreakers": {"thresholds": [{"maxRequests": 1}]}});
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]);
    let proxy = Mesh::gateway(routes).cluster("up", &[upstream.address], breakers).start();
    let mut first = Client::connect(proxy.gateway());
    first.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    waiting.recv().unwrap();
    let refused = get(proxy.gateway(), "/");
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("x-envoy-overloaded"), Some("true"));
    release.send(()).unwrap();
    assert_eq!(first.reply().body, "done");
    let log = proxy.finish();
    assert_eq!(log[0]["response_flags"], "UO");
    assert_eq!(log[1]["response_flags"], Value::Null);
}

#[test]
fn registry_only_answers_502() {
    let mesh =
        Mesh::gateway(json!([{"match": {"prefix": "/"}, "directResponse": {"status": 502}}]));
    expect(mesh, 502, "-", "direct_response", "");
}

#[test]
fn requests_that_are_none() {
    let upstream = Upstream::fixed("ok");
    let proxy = Mesh::simple(&[upstream.address]).start();
    let status = |text: &str| {
        let mut client = Client::connect(proxy.gateway());
        client.send(text);
        client.head().status
    };
    assert_eq!(status("GET / HTTP/1.0\r\nhost: a\r\n\r\n"), 426);
    assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), 400);
    assert_eq!(status("GET / HTTP/1.1\r\nhost: a\r\nno header\r\n\r\n"), 400);
    assert_eq!(status("nonsense\r\n\r\n"), 400);
    let huge = "x".repeat(70_000);
    assert_eq!(status(&format!("GET / HTTP/1.1\r\nhost: a\r\nx-huge: {huge}\r\n\r\n")), 431);
    let large = "x".repeat(50_000);
    assert_eq!(status(&format!("GET / HTTP/1.1\r\nhost: a\r\nx-large: {large}\r\n\r\n")), 200);
    assert_eq!(status("GET / HTTP/1.1\r\nhost: A.B.:81\r\n\r\n"), 200);
    proxy.finish();
}

/// An upstream that reads requests and never answers, for as long as the proxy stays.
fn silent() -> Upstream {
    Upstream::script(|_, conversation| while conversation.request().is_some() {})
}

/// A cluster of one silent endpoint behind a route with `limits`.
fn limited(limits: Value) -> Mesh {
    let mut route = json!({"cluster": "up", "timeout": "0s"});
    for (key, value) in limits.as_object().unwrap() {
        route[key] = value.clone();
    }
    routed(route).cluster("up", &[silent().address], json!({}))
}

#[test]
fn a_silent_stream_is_given_up() {
    let mesh = limited(json!({"idleTimeout": "0.02s"}));
    expect(mesh, 504, "SI", "stream_idle_timeout", "stream timeout");
}

#[test]
fn a_stream_lives_no_longer_than_it_may() {
    let mesh = limited(json!({"maxStreamDuration": {"maxStreamDuration": "0.02s"}}));
    expect(mesh, 504, "-", "max_duration_timeout", "downstream duration timeout");
}

#[test]
fn a_client_that_stops_sending_is_late_itself() {
    let proxy = limited(json!({"idleTimeout": "0.02s"})).start();
    let mut client = Client::connect(proxy.gateway());
    client.send("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhalf");
    let reply = client.reply();
    assert_eq!((reply.status, reply.body.as_str()), (408, "stream timeout"));
    assert_eq!(proxy.finish()[0]["response_flags"], "SI");
}

#[test]
fn an_answer_that_falls_silent_breaks_off() {
    let upstream = Upstream::script(|_, conversation| {
        conversation.request();
        conversation.0.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
        // Until the proxy gives up.
        conversation.request();
    });
    let route = json!({"cluster": "up", "timeout": "0s", "idleTimeout": "0.02s"});
    let proxy = routed(route).cluster("up", &[upstream.address], json!({})).start();
    let mut client = Client::connect(proxy.gateway());
    client.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.exactly(4), "half");
    assert!(client.closed());
    let log = proxy.finish();
    assert_eq!(log[0]["response_flags"], "SI");
    assert_eq!(log[0]["response_code_details"], "stream_idle_timeout");
}
