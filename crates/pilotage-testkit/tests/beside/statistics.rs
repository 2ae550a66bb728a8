//! What is counted for routes that have a `stat_prefix`, and for clusters.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use pilotage_testkit::echo::Echo;
use pilotage_testkit::wire;
use serde_json::{Value, json};

use super::pair::{Pair, Side, cluster, listener};

/// Requests: path, and what the upstream does.
const REQUESTS: [(&str, &str); 12] = [
    ("/ok", "ok"),
    ("/ok", "404"),
    ("/refused", "ok"),
    ("/missing", "ok"),
    ("/none", "ok"),
    ("/direct", "ok"),
    ("/slow", "hang"),
    ("/tries", "hang,hang"),
    ("/codes", "409,409,409"),
    ("/codes", "409,500"),
    ("/helps", "503,200"),
    ("/full", "ok"),
];

#[test]
fn routes_and_clusters_count_as_in_envoy() {
    let echo = Echo::start().unwrap();
    let clusters = clusters(echo.port);
    let Some(pair) = Pair::start(&[listener("shop", routes(), json!({}))], &clusters) else {
        return;
    };
    let [theirs, ours] = pair.sides().map(|side| {
        for (number, (path, script)) in REQUESTS.iter().enumerate() {
            let case = format!("{}-{number}", side.name);
            let request = format!(
                "GET {path} HTTP/1.1\r\nhost: a\r\nx-case: {case}\r\nx-script: {script}\r\n\r\n"
            );
            wire::ask(side.listeners["shop"], request.as_bytes()).unwrap().unwrap();
        }
        counted(side)
    });
    assert!(theirs.len() > 60, "{theirs:#?}");
    assert_eq!(theirs, ours);
}

/// What is not zero, but for times: all of routes, and what we count of clusters.
fn counted(side: &Side) -> BTreeMap<String, u64> {
    const OF_CLUSTERS: [&str; 11] = [
        "upstream_rq_1xx",
        "upstream_rq_2xx",
        "upstream_rq_3xx",
        "upstream_rq_4xx",
        "upstream_rq_5xx",
        "upstream_rq_per_try_timeout",
        "upstream_rq_retry",
        "upstream_rq_retry_limit_exceeded",
        "upstream_rq_retry_success",
        "upstream_rq_timeout",
        "upstream_rq_total",
    ];
    let wanted = |name: &str| match name.strip_prefix("cluster.") {
        Some(rest) => rest.split_once('.').is_some_and(|(_, last)| OF_CLUSTERS.contains(&last)),
        None => name.starts_with("vhost."),
    };
    let stats = side.admin("/stats");
    let lines = stats.lines().filter_map(|line| line.split_once(": "));
    let counters = lines.filter_map(|(name, value)| Some((name, value.parse().ok()?)));
    let counted = counters.filter(|(name, value)| wanted(name) && *value > 0);
    counted.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn routes() -> Value {
    let tries = |on: &str, more: Value| {
        let mut policy = json!({
            "retryOn": on, "numRetries": 2, "retryBackOff": {"baseInterval": "0.001s"},
        });
        for (key, value) in more.as_object().unwrap() {
            policy[key] = value.clone();
        }
        policy
    };
    let route = |path: &str, mut action: Value| {
        action["match"] = json!({"prefix": path});
        action["statPrefix"] = json!(path.trim_start_matches('/'));
        action
    };
    let codes = tries("retriable-status-codes", json!({"retriableStatusCodes": [409]}));
    let limit = json!({"perTryTimeout": "0.1s", "numRetries": 1});
    json!([
        route("/ok", json!({"route": {"cluster": "up"}})),
        route(
            "/refused",
            json!({"route": {
            "cluster": "refused", "retryPolicy": tries("connect-failure", json!({}))}})
        ),
        route("/missing", json!({"route": {"cluster": "missing"}})),
        route("/none", json!({"route": {"cluster": "none"}})),
        route("/direct", json!({"directResponse": {"status": 418}})),
        route("/slow", json!({"route": {"cluster": "up", "timeout": "0.1s"}})),
        route("/tries", json!({"route": {"cluster": "tried", "retryPolicy": tries("5xx", limit)}})),
        route("/codes", json!({"route": {"cluster": "codes", "retryPolicy": codes}})),
        route(
            "/helps",
            json!({"route": {
            "cluster": "helps", "retryPolicy": tries("5xx", json!({}))}})
        ),
        route(
            "/full",
            json!({"route": {
            "cluster": "full", "retryPolicy": tries("5xx", json!({}))}})
        ),
    ])
}

fn clusters(port: u16) -> Vec<Value> {
    let up = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    // Nobody listens there.
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let mut full = cluster("full", &[up]);
    full["circuitBreakers"] = json!({"thresholds": [{"maxRequests": 0}]});
    vec![
        cluster("up", &[up]),
        cluster("tried", &[up]),
        cluster("codes", &[up]),
        cluster("helps", &[up]),
        cluster("refused", &[nowhere]),
        cluster("none", &[]),
        full,
    ]
}
