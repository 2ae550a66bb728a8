//! Copies of requests.

use std::sync::mpsc::channel;

use serde_json::json;

use super::client::Client;
use super::mesh::Mesh;
use super::upstream::Upstream;

#[test]
fn a_mirror_gets_the_whole_request_under_its_own_host_and_is_not_waited_for() {
    let (seen, wait_seen) = channel();
    let upstream = Upstream::script(|_, conversation| {
        conversation.request();
        let body = conversation.0.exactly(5);
        conversation.answer(200, &body);
    });
    let mirror = Upstream::script(move |_, conversation| {
        let head = conversation.request().unwrap();
        seen.send((head, conversation.0.exactly(5))).unwrap();
        // Never answers.
        conversation.request();
    });
    let route = json!({
        "cluster": "up",
        "requestMirrorPolicies": [{"cluster": "mirror"}],
    });
    let proxy = Mesh::gateway(json!([{"match": {"prefix": "/"}, "route": route}]))
        .cluster("up", &[upstream.address], json!({}))
        .cluster("mirror", &[mirror.address], json!({}))
        .start();
    let mut client = Client::connect(proxy.gateway());
    client.send("POST /x HTTP/1.1\r\nhost: shop:80\r\ncontent-length: 5\r\n\r\nhello");
    assert_eq!(client.reply().body, "hello");
    let (head, body) = wait_seen.recv().unwrap();
    assert!(head.starts_with("POST /x HTTP/1.1\n"), "{head}");
    assert!(head.contains("host: shop-shadow:80"), "{head}");
    assert_eq!(body, "hello");
    proxy.finish();
}
