//! Requests that go wherever the host is that they name.

use pilotage_testkit::echo::Echo;
use pilotage_testkit::wire;
use serde_json::{Value, json};

use super::pair::{LOG_FILE, Pair, listener};

const CACHE: &str = "cache";

fn cache() -> Value {
    json!({"name": CACHE, "dnsLookupFamily": "V4_ONLY"})
}

fn cluster() -> Value {
    json!({
        "name": "wherever", "connectTimeout": "5s", "lbPolicy": "CLUSTER_PROVIDED",
        "clusterType": {"name": "envoy.clusters.dynamic_forward_proxy", "typedConfig": {
            "@type": "type.googleapis.com/envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig",
            "dnsCacheConfig": cache()}},
    })
}

fn filters() -> Value {
    let filter = |name: &str, mut config: Value| {
        config["@type"] =
            json!(format!("type.googleapis.com/envoy.extensions.filters.http.{name}"));
        let short = name.split('.').next().unwrap();
        json!({"name": format!("envoy.filters.http.{short}"), "typedConfig": config})
    };
    json!([
        filter("dynamic_forward_proxy.v3.FilterConfig", json!({"dnsCacheConfig": cache()})),
        filter("router.v3.Router", json!({})),
    ])
}

fn log() -> Value {
    let format = "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_HOST%\n";
    json!([{"name": "envoy.access_loggers.file", "typedConfig": {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
        "path": LOG_FILE,
        "logFormat": {"textFormatSource": {"inlineString": format}},
    }}])
}

#[test]
fn hosts_are_resolved_as_in_envoy() {
    let echo = Echo::start().unwrap();
    let more = json!({"httpFilters": filters(), "accessLog": log()});
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "wherever"}}]);
    let listeners = [listener("l", routes, more)];
    let Some(pair) = Pair::start(&listeners, &[cluster()]) else { return };
    let port = echo.port;
    let hosts = [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        // Nobody listens there: what matters is the port that is tried.
        "127.0.0.1".to_owned(),
        "localhost:1".to_owned(),
        format!("no-such-host.invalid:{port}"),
    ];
    let [theirs, ours] = pair.sides().map(|side| {
        let mut seen = Vec::new();
        for host in &hosts {
            let request =
                format!("GET / HTTP/1.1\r\nhost: {host}\r\nx-case: {}\r\n\r\n", side.name);
            let answer = wire::ask(side.listeners["l"], request.as_bytes()).unwrap().unwrap();
            let body = match answer.status() {
                200 => String::new(),
                _ => String::from_utf8(answer.body.clone()).unwrap(),
            };
            seen.push((host.clone(), answer.status(), body));
        }
        // Why a name was not resolved is in the words of the resolver's library.
        let log = side.log(hosts.len()).into_iter();
        let log: Vec<String> =
            log.map(|line| line.replace("{cares_norecords:Domain_name_not_found}", "")).collect();
        (seen, log)
    });
    assert_eq!(theirs, ours);
}
