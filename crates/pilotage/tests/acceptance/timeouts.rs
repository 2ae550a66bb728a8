//! How long an answer may take.

use std::time::{Duration, Instant};

use crate::bookinfo::{Bookinfo, NO_REVIEWS};
use crate::gate::Gate;
use crate::mesh::{Setup, fixture};
use crate::workload::{Response, Workload};

const FOREVER: Duration = Duration::from_secs(60);

/// T8. Two seconds are 400 ms here, and half a second 100 ms.
#[test]
fn a_timeout_ends_requests_that_the_page_then_sends_again() {
    let bookinfo = Bookinfo::start(FOREVER);
    let mut mesh = bookinfo.mesh(&["ratings-slow.yaml"]);
    let begin = Instant::now();
    assert_eq!(bookinfo.page("any", FOREVER), "black stars: 5");
    assert!(begin.elapsed() >= Duration::from_millis(400));

    let rules = fixture("ratings-slow.yaml");
    let limited = rules.replace("subset: v2}}]", "subset: v2}}]\n    timeout: 0.1s");
    assert_ne!(rules, limited);
    mesh.apply("ratings-slow.yaml", &limited);
    let late = mesh.curl(&["http://reviews:9080/reviews/0"]);
    assert_eq!(late.summary(), (504, "upstream request timeout"));
    assert!(late.took >= Duration::from_millis(100), "{late:?}");
    mesh.logged(&["GET /reviews/0", " 504 UT response_timeout "]);
    let begin = Instant::now();
    assert_eq!(bookinfo.page("any", FOREVER), NO_REVIEWS);
    // Two attempts of the page, each of them ended by the proxy.
    assert!(begin.elapsed() >= Duration::from_millis(200));
}

/// T24. A service outside the mesh that takes longer than its timeout; three seconds are 300 ms here.
#[test]
fn services_outside_the_mesh_have_timeouts_too() {
    let gate = Gate::default();
    let outside = {
        let gate = gate.clone();
        Workload::with("ext", "v1", move |request| {
            if request.path.starts_with("/delay") {
                gate.pass();
            }
            Response::ok("done")
        })
    };
    let mesh = Setup::new([])
        .with("external-http.yaml")
        .with("external-http-timeout.yaml")
        .value("EXTERNAL", outside.address().port())
        .start();
    let late = mesh.curl(&["http://ext.test/delay/5"]);
    assert_eq!(late.summary(), (504, "upstream request timeout"));
    assert!(late.took >= Duration::from_millis(300), "{late:?}");
    mesh.logged(&["GET /delay/5", " 504 UT "]);
    assert_eq!(mesh.curl(&["http://ext.test/headers"]).summary(), (200, "done"));
    // Without the rule it takes as long as it takes.
    std::fs::remove_file(mesh.up.path("external-http-timeout.yaml")).unwrap();
    let mut mesh = mesh;
    mesh.obeyed();
    let mut client = mesh.client();
    client.send("http://ext.test/delay/5", "ext.test", "");
    gate.arrived(2);
    gate.open();
    assert_eq!(client.answer().body, "done");
}
