//! The outbound port: as an HTTP proxy, or by host name.

use serde_json::json;

use super::client::Client;
use super::mesh::{Mesh, Running};
use super::upstream::Upstream;

fn start(upstream: &Upstream) -> Running {
    let reviews = json!([{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]);
    Mesh::default()
        .captured("0.0.0.0_9080", 9080)
        .routes("0.0.0.0_9080", json!(["reviews"]), reviews)
        .cluster("up", &[upstream.address], json!({}))
        .name("reviews", "10.96.0.7")
        .start()
}

/// A sidecar's listener for everything that no other takes, as bytes to `cluster`.
fn with_rest(mesh: Mesh, cluster: &str) -> Mesh {
    mesh.tcp("virtualOutbound", 15001, cluster)
}

#[test]
fn the_outbound_policy_rules_where_nothing_listens() {
    let upstream = Upstream::fixed("outside");
    let passthrough = json!({"type": "ORIGINAL_DST", "lbPolicy": "CLUSTER_PROVIDED",
        "loadAssignment": null});
    let allowed = with_rest(Mesh::default(), "PassthroughCluster")
        .cluster("PassthroughCluster", &[], passthrough)
        .start();
    let request = format!("GET / HTTP/1.1\r\nhost: localhost:{}\r\n\r\n", upstream.address.port());
    assert_eq!(ask(&allowed, &request), (200, "outside".to_owned()));
    allowed.finish();
    let refused = with_rest(Mesh::default(), "BlackHoleCluster")
        .cluster("BlackHoleCluster", &[], json!({}))
        .start();
    assert_eq!(ask(&refused, &request).0, 502);
    refused.finish();
}

fn ask(proxy: &Running, request: &str) -> (u16, String) {
    let mut client = Client::connect(proxy.handle.outbound_address().unwrap());
    client.send(request);
    let reply = client.reply();
    (reply.status, reply.body)
}

#[test]
fn as_an_http_proxy_and_by_host() {
    let upstream = Upstream::script(|_, conversation| {
        while let Some(head) = conversation.request() {
            let lines: Vec<_> = head.lines().collect();
            let host = lines.iter().find(|line| line.starts_with("host:")).unwrap();
            let text = format!("{} {host}", lines[0]);
            conversation.answer(200, &text);
        }
    });
    let proxy = start(&upstream);
    let expected = (200, "GET /reviews/0 HTTP/1.1 host: reviews:9080".to_owned());
    let absolute = "GET http://reviews:9080/reviews/0 HTTP/1.1\r\nhost: other\r\n\
                    proxy-connection: keep-alive\r\n\r\n";
    assert_eq!(ask(&proxy, absolute), expected);
    let by_host = "GET /reviews/0 HTTP/1.1\r\nhost: reviews:9080\r\n\r\n";
    assert_eq!(ask(&proxy, by_host), expected);
    assert_eq!(ask(&proxy, "GET / HTTP/1.1\r\nhost: unknown:9080\r\n\r\n").0, 404);
    assert_eq!(ask(&proxy, "GET / HTTP/1.1\r\nhost: reviews:1\r\n\r\n").0, 404);
    assert_eq!(ask(&proxy, "GET / HTTP/1.1\r\n\r\n").0, 400);
    assert_eq!(ask(&proxy, "GET / HTTP/1.0\r\n\r\n").0, 426);
    let log = proxy.finish();
    assert_eq!(log[0]["downstream_local_address"], "10.96.0.7:9080");
    assert_eq!(log[0]["upstream_cluster"], "up");
}
