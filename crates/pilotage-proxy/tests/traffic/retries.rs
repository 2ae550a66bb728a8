//! Attempts beyond the first.

use serde_json::{Value, json};

use super::client::{Client, get};
use super::mesh::Mesh;
use super::upstream::{Upstream, nowhere};

fn mesh(addresses: &[std::net::SocketAddr], retry: Value) -> Mesh {
    let route = json!({"cluster": "up", "retryPolicy": retry});
    Mesh::gateway(json!([{"match": {"prefix": "/"}, "route": route}])).cluster(
        "up",
        addresses,
        json!({}),
    )
}

#[test]
fn a_refused_connection_is_tried_elsewhere() {
    let upstream = Upstream::fixed("ok");
    let retry = json!({
        "retryOn": "connect-failure", "numRetries": 3,
        "retryHostPredicate": [{
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typedConfig": {"@type": "type.googleapis.com/envoy.extensions.retry.host.\
                                      previous_hosts.v3.PreviousHostsPredicate"},
        }],
        "hostSelectionRetryMaxAttempts": "5",
    });
    let proxy = mesh(&[nowhere(), upstream.address], retry).start();
    for _ in 0..8 {
        assert_eq!(get(proxy.gateway(), "/").status, 200);
    }
    proxy.finish();
}

#[test]
fn a_body_is_sent_again() {
    let upstream = Upstream::script(|number, conversation| {
        conversation.request();
        let body = conversation.0.exactly(5);
        conversation.answer(if number == 0 { 503 } else { 200 }, &body);
    });
    let proxy = mesh(&[upstream.address], json!({"retryOn": "5xx", "numRetries": 1})).start();
    let mut client = Client::connect(proxy.gateway());
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello");
    let reply = client.reply();
    assert_eq!((reply.status, reply.body.as_str()), (200, "hello"));
    let log = proxy.finish();
    assert_eq!(log[0]["bytes_received"], 5);
}

#[test]
fn the_limit_of_retries_is_flagged() {
    let upstream = Upstream::script(|_, conversation| {
        while conversation.request().is_some() {
            conversation.answer(503, "no");
        }
    });
    let proxy = mesh(&[upstream.address], json!({"retryOn": "5xx", "numRetries": 2})).start();
    assert_eq!(get(proxy.gateway(), "/").status, 503);
    let log = proxy.finish();
    assert_eq!(log[0]["response_flags"], "URX");
}

#[test]
fn a_slow_attempt_is_given_up() {
    let upstream = Upstream::script(|number, conversation| {
        conversation.request();
        if number == 0 {
            // Waits until the proxy gives the connection up.
            conversation.request();
        }
        conversation.answer(200, "ok");
    });
    let retry = json!({"retryOn": "5xx", "numRetries": 1, "perTryTimeout": "0.020s"});
    let proxy = mesh(&[upstream.address], retry).start();
    assert_eq!(get(proxy.gateway(), "/").status, 200);
    assert_eq!(upstream.connections(), 2);
    proxy.finish();
}
