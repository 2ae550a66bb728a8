//! WebSockets over HTTP/2 (extended CONNECT), from clients and to upstreams.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::server::Builder;
use http::{Request, Response};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::client::Client;
use super::http2_peers::{connect, upstream};
use super::mesh::{Mesh, Running, http2_options_with};
use super::upgrades;

/// A gateway that takes extended CONNECT, and everything to `upstream`.
fn websockets(upstream: SocketAddr, cluster: Value) -> Running {
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]);
    let options = json!({"http2ProtocolOptions": {"allowConnect": true}});
    Mesh::default()
        .listener_with("gateway", 8080, options)
        .routes("gateway", json!(["*"]), routes)
        .cluster("up", &[upstream], cluster)
        .start()
}

/// Opens a WebSocket at the proxy, says `one`, hears it and ends.
async fn converse(proxy: &Running, end: &str) {
    let mut client = connect(proxy.gateway()).await;
    let request = Request::connect("http://a.test/chat");
    let request = request.extension(h2::ext::Protocol::from_static("websocket")).body(()).unwrap();
    let (response, mut stream) = client.send_request(request, false).unwrap();
    let mut response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("upgrade"));
    stream.send_data(Bytes::from_static(b"one"), false).unwrap();
    let body = response.body_mut();
    assert_eq!(body.data().await.unwrap().unwrap(), "one");
    stream.send_data(Bytes::new(), true).unwrap();
    let mut rest = Vec::new();
    while let Some(data) = body.data().await {
        rest.extend_from_slice(&data.unwrap());
    }
    assert_eq!(rest, end.as_bytes());
}

#[test]
fn a_websocket_over_http2_reaches_an_http1_upstream() {
    let runtime = Runtime::new().unwrap();
    let upstream = upgrades::echo();
    let proxy = websockets(upstream.address, json!({}));
    runtime.block_on(converse(&proxy, "bye"));
    let log = proxy.finish();
    assert_eq!((&log[0]["bytes_received"], &log[0]["bytes_sent"]), (&json!(3), &json!(6)));
}

/// An HTTP/2 upstream that grants every WebSocket and echoes.
fn echoing(runtime: &Runtime) -> SocketAddr {
    let mut builder = Builder::new();
    builder.enable_connect_protocol();
    let (address, _) = upstream(runtime, &builder, 0, |mut call| async move {
        let protocol = call.request.extensions().get::<h2::ext::Protocol>().unwrap();
        assert_eq!(protocol.as_str(), "websocket");
        let mut back = call.respond.send_response(Response::new(()), false).unwrap();
        let mut body = call.request.into_body();
        while let Some(data) = body.data().await {
            back.send_data(data.unwrap(), false).unwrap();
        }
        back.send_data(Bytes::new(), true).unwrap();
    });
    address
}

#[test]
fn websockets_of_both_versions_reach_an_http2_upstream() {
    let runtime = Runtime::new().unwrap();
    let address = echoing(&runtime);
    let proxy = websockets(address, http2_options_with(json!({"allowConnect": true})));
    runtime.block_on(converse(&proxy, ""));
    let mut client: Client = upgrades::open(&proxy);
    client.send("one");
    assert_eq!(client.exactly(3), "one");
    drop(client);
    proxy.finish();
}
