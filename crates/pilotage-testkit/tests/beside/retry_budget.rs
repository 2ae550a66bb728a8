//! Retries in proportion to requests.

use std::net::{Ipv4Addr, SocketAddr};

use pilotage_testkit::echo::Echo;
use pilotage_testkit::wire;
use serde_json::json;

use super::pair::{Pair, cluster, listener};

/// What the upstream says to each request, and to its repetition.
const SCRIPTS: [&str; 14] = [
    "503,200",
    "200",
    "200",
    "503,200",
    "503,200",
    "200",
    "503,503,200",
    "503,200",
    "503,200",
    "503,200",
    "200",
    "503,503,503,200",
    "503,200",
    "503,200",
];

#[test]
fn requests_of_the_last_while_pay_for_retries() {
    let echo = Echo::start().unwrap();
    let budget = |interval: &str| {
        let mut up = cluster("up", &[SocketAddr::from((Ipv4Addr::LOCALHOST, echo.port))]);
        up["name"] = json!(format!("up{interval}"));
        up["loadAssignment"]["clusterName"] = up["name"].clone();
        up["circuitBreakers"] = json!({"thresholds": [{"retryBudget": {
            "budgetPercent": {"value": 20.0}, "minRetryConcurrency": 0, "budgetInterval": interval,
        }}]});
        up
    };
    let policy = json!({"retryOn": "5xx", "numRetries": 3,
        "retryBackOff": {"baseInterval": "0.001s"}});
    let route = |path: &str, cluster: &str| json!({"match": {"prefix": path}, "route": {"cluster": cluster, "retryPolicy": policy}});
    let routes = json!([route("/long", "up600s"), route("/now", "up0s")]);
    let clusters = [budget("600s"), budget("0s")];
    let Some(pair) = Pair::start(&[listener("l", routes, json!({}))], &clusters) else { return };
    let [theirs, ours] = pair.sides().map(|side| {
        let ask = |path: &str| {
            let mut statuses = Vec::new();
            for (number, script) in SCRIPTS.iter().enumerate() {
                let case = format!("{}{path}-{number}", side.name);
                let request = format!(
                    "GET {path} HTTP/1.1\r\nhost: a\r\nx-case: {case}\r\nx-script: {script}\r\n\r\n"
                );
                let answer = wire::ask(side.listeners["l"], request.as_bytes()).unwrap().unwrap();
                statuses.push(answer.status());
            }
            statuses
        };
        [ask("/long"), ask("/now")]
    });
    assert!(theirs[0].contains(&200) && theirs[0].contains(&503), "{theirs:?}");
    assert_eq!(theirs, ours);
}
