//! Sending requests again.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::mesh::Setup;
use crate::workload::{Response, Workload};

/// T37.
#[test]
fn a_request_that_fails_twice_succeeds_with_the_third_attempt() {
    let failures = AtomicU32::new(0);
    let be = Workload::with("be", "v1", move |_| match failures.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => Response::status(503, "not yet"),
        _ => Response::ok("at last"),
    });
    let mesh = Setup::new([&be]).with("backend.yaml").with("backend-retries.yaml").start();
    let reply = mesh.curl(&["http://be:8000/"]);
    assert_eq!(reply.summary(), (200, "at last"));
    let seen = be.take_seen();
    let attempts: Vec<&str> = seen.iter().map(|r| r.header("x-envoy-attempt-count")).collect();
    assert_eq!(attempts, ["1", "2", "3"]);
    let ids: Vec<&str> = seen.iter().map(|r| r.header("x-request-id")).collect();
    assert!(!ids[0].is_empty() && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

/// T37, when it never succeeds: the last answer is passed on.
#[test]
fn attempts_end_and_the_client_sees_the_last_answer() {
    let be = Workload::with("be", "v1", |_| Response::status(500, "never"));
    let mesh = Setup::new([&be]).with("backend.yaml").with("backend-retries.yaml").start();
    let reply = mesh.curl(&["http://be:8000/"]);
    assert_eq!(reply.summary(), (500, "never"));
    assert_eq!(be.take_seen().len(), 4);
    mesh.logged(&[" 500 URX via_upstream "]);
}
