//! Limits of connections and of requests that wait.

use std::sync::mpsc;
use std::thread;

use crate::curl::curl;
use crate::gate::Gate;
use crate::mesh::Setup;
use crate::workload::{Response, Workload};

const URL: &str = "http://be:8000/";

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
    for clients in [2, 3, 10] {
        gate.close();
        let (sender, replies) = mpsc::channel();
        for _ in 0..clients {
            let (sender, address) = (sender.clone(), mesh.address.to_string());
            thread::spawn(move || sender.send(curl(&["--proxy", &address, URL])));
        }
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
    let cluster = "cluster.outbound|8000||be.default.svc.cluster.local";
    let refused = format!("{cluster}.upstream_rq_pending_overflow: 9\n");
    assert!(stats.contains(&refused), "{stats}");
}
