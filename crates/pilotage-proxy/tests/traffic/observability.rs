//! What operators see: the access log, metrics, admin pages.

use std::sync::Arc;

use pilotage_proxy::{AccessLogSettings, Lines, LogFormat, LogTarget};
use serde_json::json;

use super::client::{Client, get};
use super::mesh::Mesh;
use super::upstream::Upstream;

#[test]
fn the_text_log_is_istios_and_names_the_origin() {
    let upstream = Upstream::fixed("hello");
    let lines = Lines::default();
    let routes = json!([{
        "name": "main",
        "match": {"prefix": "/"},
        "metadata": {"filterMetadata": {"istio": {"config": "/apis/x/virtual-service/reviews"}}},
        "route": {"cluster": "outbound|80||a.default.svc.cluster.local"},
    }]);
    let name = "outbound|80||a.default.svc.cluster.local";
    let target = Some(LogTarget::Memory(lines.clone()));
    let proxy =
        Mesh::gateway(routes).cluster(name, &[upstream.address], json!({})).start_with(|config| {
            config.access_log = AccessLogSettings { target, format: LogFormat::Text };
        });
    let mut client = Client::connect(proxy.gateway());
    client.send("GET /x?y HTTP/1.1\r\nhost: a\r\nuser-agent: test\r\n\r\n");
    assert_eq!(client.reply().body, "hello");
    let local = proxy.gateway();
    let peer = client.reader.get_ref().local_addr().unwrap();
    proxy.finish();
    let log = lines.take();
    let (_time, rest) = log.split_once("] ").unwrap();
    assert!(rest.starts_with("\"GET /x?y HTTP/1.1\" 200 - via_upstream - \"-\" 0 5 "), "{log}");
    assert!(rest.contains("\"test\" "), "{log}");
    assert!(rest.contains(&format!("\"{}\" {name} 127.0.0.1:", upstream.address)), "{log}");
    let end = format!(" {local} {peer} - main \"/apis/x/virtual-service/reviews\"\n");
    assert!(rest.ends_with(&end), "{log}");
}

#[test]
fn metrics_and_admin_pages() {
    let upstream = Upstream::fixed("hello");
    let routes =
        json!([{"match": {"prefix": "/"}, "route": {"cluster": "outbound|80|v1|a.b.svc.x"}}]);
    let proxy = Mesh::gateway(routes)
        .cluster("outbound|80|v1|a.b.svc.x", &[upstream.address], json!({}))
        .start_with(|config| {
            config.config_dump = Some(Arc::new(|| json!({"configs": []})));
            config.set_log_filter = Some(Arc::new(|directives| match directives {
                "debug" => Ok(()),
                other => Err(format!("{other} is no level")),
            }));
        });
    for _ in 0..2 {
        get(proxy.gateway(), "/");
    }
    let metrics = get(proxy.handle.metrics_address().unwrap(), "/stats/prometheus").body;
    let total = metrics.lines().find(|line| line.starts_with("istio_requests_total{")).unwrap();
    assert!(total.contains("destination_service=\"a.b.svc.x\""), "{total}");
    assert!(total.ends_with(" 2"), "{total}");
    assert_eq!(get(proxy.handle.ready_address().unwrap(), "/healthz/ready").status, 200);

    let admin = proxy.handle.admin_address().unwrap();
    let page = |path: &str| get(admin, path);
    assert_eq!(page("/ready").body, "LIVE\n");
    assert_eq!(page("/config_dump").body.trim(), "{\n  \"configs\": []\n}");
    let clusters = page("/clusters").body;
    let line = format!("outbound|80|v1|a.b.svc.x::{}::rq_success::2", upstream.address);
    assert!(clusters.contains(&line), "{clusters}");
    let clusters = page("/clusters?format=json").body;
    let clusters: serde_json::Value = serde_json::from_str(&clusters).unwrap();
    assert_eq!(clusters["cluster_statuses"][0]["name"], "outbound|80|v1|a.b.svc.x");
    assert_eq!(page("/listeners").body, format!("gateway::{}\n", proxy.gateway()));
    let stats = page("/stats?filter=upstream_rq_total").body;
    assert_eq!(stats, "cluster.outbound|80|v1|a.b.svc.x.upstream_rq_total: 2\n");
    assert!(page("/server_info").body.contains("\"state\": \"LIVE\""));
    assert_eq!(page("/logging?level=debug").status, 405);
    let post = |level: &str| {
        let mut client = Client::connect(admin);
        client.send(&format!("POST /logging?level={level} HTTP/1.1\r\nhost: a\r\n\r\n"));
        client.reply().status
    };
    assert_eq!((post("debug"), post("loud")), (200, 400));
    let unknown = page("/nope");
    assert_eq!(unknown.status, 404);
    assert!(unknown.body.contains("/config_dump"), "{}", unknown.body);
    proxy.finish();
}
