//! Sending requests again.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::grpc;
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

/// T37 for gRPC, whose errors stand in headers of answers that are 200 to HTTP.
#[test]
fn a_call_is_sent_again_while_the_service_is_unavailable() {
    let calls = AtomicU32::new(0);
    let address = grpc::serve(move |request| {
        let unavailable = request.uri().path().ends_with("/Get");
        let early = calls.fetch_add(1, Ordering::Relaxed) < 2;
        match (unavailable, early) {
            (true, true) => 14,
            (true, false) => 0,
            // Not among what is sent again.
            (false, _) => 5,
        }
    });
    let calls = Workload::at("calls", "v1", address).port("grpc");
    let mesh = Setup::new([&calls]).with("grpc.yaml").start();
    let got = grpc::call(mesh.address, "http://calls:7000/shop.Shelf/Get", "which one?");
    let expected = grpc::Outcome {
        status: 200,
        code: "0".into(),
        message: String::new(),
        reply: "which one?".into(),
    };
    assert_eq!(got, expected);
    let missing = grpc::call(mesh.address, "http://calls:7000/shop.Shelf/Put", "there?");
    assert_eq!((missing.code.as_str(), missing.message.as_str()), ("5", "as told"));
    mesh.logged(&["POST /shop.Shelf/Get HTTP/2", " 200 - via_upstream "]);
}
