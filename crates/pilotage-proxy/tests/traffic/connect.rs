//! CONNECT on the outbound port: a connection as if it had been captured on its way.

use serde_json::json;

use super::client::Client;
use super::mesh::{Mesh, Running};
use super::tcp::echo;
use super::upstream::Upstream;

/// Asks for a connection to `target`, and at once says `bytes`.
pub(crate) fn connect(proxy: &Running, target: &str, bytes: &str) -> (u16, Client) {
    let mut client = Client::connect(proxy.handle.outbound_address().unwrap());
    client.send(&format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n{bytes}"));
    let status = client.head().status;
    (status, client)
}

#[test]
fn bytes_and_requests_reach_what_the_mesh_has_there() {
    let (db, web) = (echo("db"), Upstream::fixed("web"));
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "web"}}]);
    let proxy = Mesh::default()
        .captured("0.0.0.0_80", 80)
        .routes("0.0.0.0_80", json!(["web"]), routes)
        .tcp("0.0.0.0_5432", 5432, "db")
        .cluster("db", &[db.address], json!({}))
        .cluster("web", &[web.address], json!({}))
        .name("db", "10.96.0.9")
        .name("web", "10.96.0.8")
        .start();
    let (status, mut client) = connect(&proxy, "db:5432", "early");
    assert_eq!((status, client.line().as_str()), (200, "db"));
    assert_eq!(client.exactly(5), "early");
    drop(client);
    let (status, mut client) = connect(&proxy, "web:80", "");
    assert_eq!(status, 200);
    client.send("GET / HTTP/1.1\r\nhost: web\r\n\r\n");
    assert_eq!(client.reply().body, "web");
    client.send("GET / HTTP/1.1\r\nhost: other\r\n\r\n");
    assert_eq!(client.reply().status, 404);
    drop(client);
    let log = proxy.finish();
    let to = |cluster: &str| log.iter().find(|line| line["upstream_cluster"] == cluster).unwrap();
    assert_eq!(to("db")["downstream_local_address"], "10.96.0.9:5432");
    assert_eq!(to("web")["downstream_local_address"], "10.96.0.8:80");
}

#[test]
fn unknown_places_are_left_to_the_outbound_policy() {
    let outside = echo("outside");
    let passthrough =
        json!({"type": "ORIGINAL_DST", "lbPolicy": "CLUSTER_PROVIDED", "loadAssignment": null});
    let allowed = Mesh::default()
        .tcp("virtualOutbound", 15001, "PassthroughCluster")
        .cluster("PassthroughCluster", &[], passthrough)
        .start();
    for host in ["localhost", "127.0.0.1"] {
        let target = format!("{host}:{}", outside.address.port());
        let (status, mut client) = connect(&allowed, &target, "");
        assert_eq!((status, client.line().as_str()), (200, "outside"), "{host}");
    }
    allowed.finish();
    let refused = Mesh::default()
        .tcp("virtualOutbound", 15001, "BlackHoleCluster")
        .cluster("BlackHoleCluster", &[], json!({}))
        .start();
    let (status, mut client) = connect(&refused, &outside.address.to_string(), "");
    assert!(status == 200 && client.closed());
    drop(client);
    let log = refused.finish();
    assert_eq!(log[0]["response_flags"], "UH");
    assert_eq!(log[0]["upstream_cluster"], "BlackHoleCluster");
}

#[test]
fn nowhere_and_nonsense_are_answered() {
    let proxy = Mesh::default().start();
    assert_eq!(connect(&proxy, "db:5432", "").0, 404);
    assert_eq!(connect(&proxy, "db", "").0, 400);
    let log = proxy.finish();
    assert_eq!(log[0]["response_flags"], "NR");
}
