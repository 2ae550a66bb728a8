//! Copies of requests.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use serde_json::json;

use super::client::Client;
use super::mesh::Mesh;
use super::upstream::Upstream;

/// More than sockets and the queue of a copy hold together.
const BODY: usize = 32 << 20;

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

#[test]
fn a_request_that_has_nowhere_to_go_is_not_copied() {
    let upstream = Upstream::script(|_, conversation| {
        while conversation.request().is_some() {
            conversation.answer(200, "");
        }
    });
    let (seen, wait_seen) = channel();
    let mirror = Upstream::script(move |_, conversation| {
        while let Some(head) = conversation.request() {
            seen.send(head).unwrap();
            conversation.answer(200, "");
        }
    });
    let rule = |path: &str, cluster: &str| {
        let copies = json!([{"cluster": "mirror"}]);
        let route = json!({"cluster": cluster, "requestMirrorPolicies": copies});
        json!({"match": {"prefix": path}, "route": route})
    };
    let proxy = Mesh::gateway(json!([rule("/nowhere", "none"), rule("/", "up")]))
        .cluster("up", &[upstream.address], json!({}))
        .cluster("none", &[], json!({}))
        .cluster("mirror", &[mirror.address], json!({}))
        .start();
    let mut client = Client::connect(proxy.gateway());
    assert_eq!(client.get("/nowhere").status, 503);
    assert_eq!(client.get("/somewhere").status, 200);
    let head = wait_seen.recv().unwrap();
    assert!(head.starts_with("GET /somewhere HTTP/1.1\n"), "{head}");
    proxy.finish();
}

#[test]
fn copies_that_get_lost_are_counted_and_nothing_else_happens() {
    let upstream = Upstream::script(|_, conversation| {
        while conversation.request().is_some_and(|head| head.starts_with("POST")) {
            conversation.0.exactly(BODY);
            conversation.answer(200, "stored");
        }
    });
    let (head_seen, wait_head) = channel();
    let (ended, wait_ended) = channel::<()>();
    let wait_ended = Mutex::new(wait_ended);
    // Takes the head and then no more.
    let slow = Upstream::script(move |_, conversation| {
        conversation.request().unwrap();
        head_seen.send(()).unwrap();
        wait_ended.lock().unwrap().recv().ok();
    });
    let route = json!({
        "cluster": "up",
        "requestMirrorPolicies": [{"cluster": "slow"}, {"cluster": "empty"}],
    });
    let proxy = Mesh::gateway(json!([{"match": {"prefix": "/"}, "route": route}]))
        .cluster("up", &[upstream.address], json!({}))
        .cluster("slow", &[slow.address], json!({}))
        .cluster("empty", &[], json!({}))
        .start();
    let mut client = Client::connect(proxy.gateway());
    client.send(&format!("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: {BODY}\r\n\r\n"));
    wait_head.recv().unwrap();
    client.send(&"x".repeat(BODY));
    assert_eq!(client.reply().body, "stored");
    let stats = proxy.stats();
    for cluster in ["slow", "empty"] {
        let line = format!("cluster.{cluster}.upstream_rq_mirror_dropped: 1\n");
        assert!(stats.contains(&line), "{stats}");
    }
    assert!(stats.contains("cluster.empty.upstream_cx_none_healthy: 1\n"), "{stats}");
    assert!(stats.contains("cluster.up.upstream_rq_mirror_dropped: 0\n"), "{stats}");
    let metrics = proxy.prometheus();
    let line = "envoy_cluster_upstream_rq_mirror_dropped{cluster_name=\"slow\"} 1\n";
    assert!(metrics.contains(line), "{metrics}");
    drop(ended);
    proxy.finish();
}
