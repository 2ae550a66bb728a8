//! Settings of the mesh that only a running proxy shows: its access log, and names of statistics.

use std::time::{Duration, Instant};

use crate::harness::{Client, Up, reviews_at, service};

/// A bound for hung tests only.
const PATIENCE: Duration = Duration::from_secs(30);
const HOST: &str = "reviews:9080";

/// One request through a mesh with these settings, whose access log is `log`.
fn up(settings: &str, log: &std::path::Path) -> (Up, Client) {
    let settings = settings.replace("$LOG", log.to_str().unwrap());
    let indented = settings.replace('\n', "\n    ");
    let mesh = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: istio, namespace: istio-system}}\ndata:\n  \
         mesh: |\n    {indented}\n"
    );
    let yaml = reviews_at(&[service("v1")]);
    let up = Up::start(&[("services.yaml", yaml), ("istio.yaml", mesh)]);
    let mut client = Client::connect(up.address("mesh"));
    assert_eq!(client.get("http://reviews:9080/x", HOST, "").body, "v1");
    (up, client)
}

fn first_line(log: &std::path::Path) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        if let Some((line, _)) = text.split_once('\n') {
            return line.to_owned();
        }
        assert!(Instant::now() < deadline, "no line in the access log");
        std::thread::sleep(Duration::from_millis(10)); // between two looks
    }
}

#[test]
fn the_access_log_is_as_the_mesh_says() {
    let folder = tempfile::tempdir().unwrap();
    let log = |name: &str| folder.path().join(name);
    let _plain = up("accessLogFile: $LOG", &log("plain"));
    assert!(first_line(&log("plain")).contains("\"GET /x HTTP/1.1\" 200 - via_upstream"));
    let _own = up(
        "accessLogFile: $LOG\naccessLogFormat: \"%RESPONSE_CODE% for %REQ(:PATH)%\\n\"",
        &log("own"),
    );
    assert_eq!(first_line(&log("own")), "200 for /x");
    let _json = up("accessLogFile: $LOG\naccessLogEncoding: JSON", &log("json"));
    let line: serde_json::Value = serde_json::from_str(&first_line(&log("json"))).unwrap();
    assert_eq!((&line["path"], &line["response_code"]), (&"/x".into(), &200.into()));
}

#[test]
fn statistics_of_clusters_are_named_as_the_mesh_says() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        "accessLogFile: $LOG\noutboundClusterStatName: \"%SERVICE%_%SERVICE_PORT%_%SUBSET_NAME%\"";
    let (up, _client) = up(settings, &folder.path().join("log"));
    let admin = |path: &str| Client::connect(up.address("admin")).get(path, "admin", "").body;
    assert!(admin("/stats").contains("cluster.reviews.default_9080_.upstream_rq_total: 1\n"));
    let metrics = admin("/stats/prometheus");
    let line = "envoy_cluster_upstream_rq_total{cluster_name=\"reviews.default_9080_\"} 1\n";
    assert!(metrics.contains(line), "{metrics}");
}
