//! How long connections to upstreams may take, idle and live.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Client, get};
use super::mesh::{Mesh, Running};
use super::upstream::{Silent, Upstream, nowhere};

/// A bound for hung tests only.
const PATIENCE: Duration = Duration::from_secs(20);

fn start(upstream: std::net::SocketAddr, cluster: Value) -> Running {
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]);
    Mesh::gateway(routes).cluster("up", &[upstream], cluster).start()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn connecting_takes_no_longer_than_it_may() {
    let silent = Silent::at(nowhere().port());
    let proxy = start(silent.address, json!({"connectTimeout": "0.25s"}));
    let begun = Instant::now();
    let reply = get(proxy.gateway(), "/");
    assert!(begun.elapsed() >= Duration::from_millis(250));
    assert_eq!(reply.status, 503);
    assert!(reply.body.ends_with("reset reason: connection timeout"), "{}", reply.body);
    let log = proxy.finish();
    assert_eq!(log[0]["response_flags"], "UF");
}

#[test]
fn an_idle_connection_is_closed_in_time() {
    let ended = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ended);
    let upstream = Upstream::script(move |_, conversation| {
        while conversation.request().is_some() {
            conversation.answer(200, "ok");
        }
        count.fetch_add(1, Ordering::SeqCst);
    });
    let options = json!({"commonHttpProtocolOptions": {"idleTimeout": "0.2s"}});
    let proxy = start(upstream.address, options);
    assert_eq!(get(proxy.gateway(), "/").body, "ok");
    until("the connection is closed", || ended.load(Ordering::SeqCst) == 1);
    assert_eq!(get(proxy.gateway(), "/").body, "ok");
    assert_eq!(upstream.connections(), 2);
    proxy.finish();
}

#[test]
fn an_old_connection_takes_no_more_requests() {
    let upstream = Upstream::fixed("ok");
    let options = json!({"commonHttpProtocolOptions": {"maxConnectionDuration": "0.3s"}});
    let proxy = start(upstream.address, options);
    let begun = Instant::now();
    let mut client = Client::connect(proxy.gateway());
    until("a second connection", || {
        assert_eq!(client.get("/").body, "ok");
        upstream.connections() == 2
    });
    assert!(begun.elapsed() >= Duration::from_millis(300));
    proxy.finish();
}
