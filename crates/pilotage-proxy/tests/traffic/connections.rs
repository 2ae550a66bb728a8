//! Upstream connections: kept, found closed, limited.

use serde_json::json;

use super::client::{Client, get};
use super::mesh::Mesh;
use super::upstream::Upstream;

#[test]
fn a_connection_is_used_again() {
    let upstream = Upstream::fixed("ok");
    let proxy = Mesh::simple(&[upstream.address]).start();
    for _ in 0..3 {
        assert_eq!(get(proxy.gateway(), "/").body, "ok");
    }
    let mut client = Client::connect(proxy.gateway());
    for _ in 0..3 {
        assert_eq!(client.get("/").body, "ok");
    }
    assert_eq!(upstream.connections(), 1);
    proxy.finish();
}

#[test]
fn requests_per_connection_are_limited() {
    let upstream = Upstream::fixed("ok");
    let options = json!({"typedExtensionProtocolOptions": {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "commonHttpProtocolOptions": {"maxRequestsPerConnection": 2},
            "explicitHttpConfig": {"httpProtocolOptions": {}},
        },
    }});
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]);
    let proxy = Mesh::gateway(routes).cluster("up", &[upstream.address], options).start();
    for _ in 0..5 {
        assert_eq!(get(proxy.gateway(), "/").status, 200);
    }
    assert_eq!(upstream.connections(), 3);
    proxy.finish();
}

/// Answers one request per connection, reads a second one, and closes.
fn forgetful() -> Upstream {
    Upstream::script(|_, conversation| {
        conversation.request();
        conversation.answer(200, "ok");
        conversation.request();
    })
}

#[test]
fn a_request_on_a_connection_that_just_closed_is_sent_again() {
    let upstream = forgetful();
    let proxy = Mesh::simple(&[upstream.address]).start();
    for _ in 0..4 {
        assert_eq!(get(proxy.gateway(), "/").status, 200);
    }
    proxy.finish();
}

#[test]
fn one_that_may_have_had_effect_is_not() {
    let upstream = forgetful();
    let proxy = Mesh::simple(&[upstream.address]).start();
    assert_eq!(get(proxy.gateway(), "/").status, 200);
    let mut client = Client::connect(proxy.gateway());
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi");
    assert_eq!(client.reply().status, 503);
    let log = proxy.finish();
    assert_eq!(log[1]["response_flags"], "UC");
}

#[test]
fn an_answer_without_length_becomes_chunked_and_the_client_keeps_its_connection() {
    let upstream = Upstream::script(|_, conversation| {
        conversation.request();
        conversation.say("HTTP/1.1 200 OK\r\n\r\nuntil the end");
    });
    let proxy = Mesh::simple(&[upstream.address]).start();
    let mut client = Client::connect(proxy.gateway());
    for _ in 0..2 {
        let reply = client.get("/");
        assert_eq!(reply.header("transfer-encoding"), Some("chunked"));
        assert!(reply.header("date").is_some_and(|date| date.ends_with(" GMT")));
        assert_eq!(reply.body, "until the end");
    }
    proxy.finish();
}

#[test]
fn a_head_request_gets_the_length_and_no_body() {
    let upstream = Upstream::script(|_, conversation| {
        while conversation.request().is_some() {
            conversation.say("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n");
        }
    });
    let proxy = Mesh::simple(&[upstream.address]).start();
    let mut client = Client::connect(proxy.gateway());
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n");
        let reply = client.head();
        assert_eq!(reply.header("content-length"), Some("7"));
    }
    assert_eq!(upstream.connections(), 1);
    proxy.finish();
}
