//! Limits of connections and of requests that wait.

use std::sync::mpsc;
use std::thread;

use crate::curl::curl;
use crate::gate::Gate;
use crate::mesh::{Setup, wait_until};
use crate::workload::{Response, Workload};

const URL: &str = "http://be:8000/";
const CLUSTER: &str = "outbound|8000||be.default.svc.cluster.local";

/// T9. With one connection and one place to wait, two requests at a time are served and all others are refused. The
/// proxy has one thread, as each thread may have a connection of its own.
#[test]
fn what_is_above_the_limits_is_refused_at_once() {
    let gate = Gate::default();
    let be = {
        let gate = gate.clone();
        Workload::with("be", "v1", move |_| {
            gate.pass();
            Response::ok("served")
        })
    };
    let mesh =
        Setup::new([&be]).with("backend-breakers.yaml").arguments(&["--concurrency", "1"]).start();

    // One at a time: all are served.
    gate.open();
    for answer in mesh.ask(20, URL, "") {
        assert_eq!((answer.status, answer.body.as_str()), (200, "served"));
    }
    let idle = format!("{CLUSTER}::{}::cx_active::0\n", be.address());
    for clients in [2, 3, 10] {
        // A connection counts until it is closed.
        wait_until("the last connection stays open", || mesh.admin("/clusters").contains(&idle));
        gate.close();
        let (sender, replies) = mpsc::channel();
        let ask = || {
            let (sender, address) = (sender.clone(), mesh.address.to_string());
            thread::spawn(move || sender.send(curl(&["--proxy", &address, URL])));
        };
        // While a connection is being made, its request waits, and so nobody else may.
        ask();
        gate.arrived(1);
        (1..clients).for_each(|_| ask());
        for _ in 2..clients {
            let refused = replies.recv().unwrap();
            assert_eq!(refused.status, 503);
            assert_eq!(refused.header("x-envoy-overloaded"), Some("true"));
            assert!(refused.body.contains("reset reason: overflow"), "{refused:?}");
        }
        gate.open();
        for _ in 0..2 {
            assert_eq!(replies.recv().unwrap().summary(), (200, "served"));
        }
    }
    mesh.logged(&[" 503 UO upstream_reset_before_response_started{overflow} "]);
    let stats = mesh.admin("/stats");
    let refused = format!("cluster.{CLUSTER}.upstream_rq_pending_overflow: 9\n");
    assert!(stats.contains(&refused), "{stats}");
}

/// T9, the other half: an endpoint that fails once is left out for a while, a refusal by the limits is no failure of it.
#[test]
fn an_endpoint_that_fails_is_left_out() {
    let bad = Workload::with("be", "bad", |_| Response::status(500, "bad"));
    let good = Workload::new("be", "good");
    let mesh = Setup::new([&bad, &good]).with("backend-breakers.yaml").start();
    let answers = mesh.ask(100, URL, "");
    let failed = answers.iter().filter(|answer| answer.status == 500).count();
    assert!(failed <= 1, "{failed}");
    assert_eq!(bad.take_seen().len(), failed);
    assert!(answers.iter().skip_while(|a| a.status == 200).skip(1).all(|a| a.body == "good"));
}

/// One retry at a time: while one is under way, a request that fails elsewhere stays failed.
#[test]
fn retries_are_limited_too() {
    let gate = Gate::default();
    let be = {
        let gate = gate.clone();
        Workload::with("be", "v1", move |request| match request.header("x-envoy-attempt-count") {
            "1" => Response::status(503, "not yet"),
            _ => {
                gate.pass();
                Response::ok("served")
            }
        })
    };
    let rules = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: be}
spec: {host: be, trafficPolicy: {connectionPool: {http: {maxRetries: 1}}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: be}
spec:
  hosts: [be]
  http: [{route: [{destination: {host: be}}], retries: {attempts: 2, retryOn: 5xx, backoff: 1ms}}]
";
    let mesh = Setup::new([&be]).with("backend.yaml").text("rules.yaml", rules).start();
    let address = mesh.address.to_string();
    let first = thread::spawn(move || curl(&["--proxy", &address, URL]));
    gate.arrived(1);
    let refused = mesh.curl(&[URL]);
    assert_eq!(refused.summary(), (503, "not yet"));
    mesh.logged(&[" 503 UO via_upstream "]);
    let stats = mesh.admin("/stats");
    assert!(
        stats.contains(&format!("cluster.{CLUSTER}.upstream_rq_retry_overflow: 1\n")),
        "{stats}"
    );
    gate.open();
    assert_eq!(first.join().unwrap().summary(), (200, "served"));
    assert_eq!(mesh.curl(&[URL]).summary(), (200, "served"));
}
