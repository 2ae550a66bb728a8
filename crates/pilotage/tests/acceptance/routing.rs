//! Which version of a service gets a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use crate::bookinfo::Bookinfo;
use crate::mesh::{Setup, fixture};
use crate::shares::{assert_shares, count};
use crate::workload::Workload;

const URL: &str = "http://reviews:9080/reviews/0";

fn three_reviews() -> [Workload; 3] {
    ["v1", "v2", "v3"].map(|version| Workload::new("reviews", version))
}

/// T1.
#[test]
fn without_a_rule_all_versions_answer_and_with_one_only_its_subset() {
    let reviews = three_reviews();
    let mut mesh = Setup::new(&reviews).with("bookinfo.yaml").start();
    // One version missing in so many would take a chance below one in 10^17.
    assert_eq!(count(&mesh.ask(100, URL, "")).len(), 3);
    mesh.apply("rules.yaml", &fixture("all-v1.yaml"));
    assert_shares(&mesh.ask(100, URL, ""), &[("v1", 100.0)]);
    for _ in 0..5 {
        assert_eq!(mesh.curl(&[URL]).summary(), (200, "v1"));
    }
}

/// T2.
#[test]
fn a_header_chooses_the_version() {
    let bookinfo = Bookinfo::start(Duration::from_secs(60));
    let mesh = bookinfo.mesh(&["reviews-by-user.yaml"]);
    let cases = [
        ("end-user: jason", "black stars: 5"),
        ("END-USER: jason", "black stars: 5"),
        ("end-user: Jason", "no stars"),
        ("end-user: jasons", "no stars"),
        ("end-user: other", "no stars"),
        ("x: y", "no stars"),
    ];
    for (header, expected) in cases {
        assert_eq!(mesh.curl(&["--header", header, URL]).summary(), (200, expected), "{header}");
    }
    assert_eq!(bookinfo.page("jason", Duration::from_secs(60)), "black stars: 5");
    mesh.logged(&["|9080|v2|reviews.default", "VirtualService default/reviews spec.http[0]"]);
}

/// T6, with a client that asks all the time (6.1): no request fails because objects change.
#[test]
fn weights_shift_traffic_and_no_request_notices() {
    let reviews = three_reviews();
    let mut mesh = Setup::new(&reviews).with("bookinfo.yaml").with("all-v1.yaml").start();
    let (done, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let probe = {
        let (mut client, done, answered) =
            (mesh.client(), Arc::clone(&done), Arc::clone(&answered));
        thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                assert_eq!(client.get(URL, "reviews:9080", "").status, 200);
                answered.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    assert_shares(&mesh.ask(100, URL, ""), &[("v1", 100.0)]);
    mesh.apply("all-v1.yaml", &fixture("reviews-shifted.yaml"));
    assert_shares(&mesh.ask(1000, URL, ""), &[("v1", 50.0), ("v3", 50.0)]);
    mesh.apply("all-v1.yaml", &fixture("reviews-v3.yaml"));
    assert_shares(&mesh.ask(100, URL, ""), &[("v3", 100.0)]);
    // New subsets and rules that use them, in one save and back.
    for round in 0..10 {
        let subset = format!("round{round}");
        let services =
            fixture("bookinfo.yaml").replace("{name: v3,", &format!("{{name: {subset},"));
        let rules = fixture("reviews-v3.yaml").replace("subset: v3", &format!("subset: {subset}"));
        mesh.apply("all-v1.yaml", "");
        mesh.apply("bookinfo.yaml", &services);
        mesh.apply("all-v1.yaml", &rules);
    }
    done.store(true, Ordering::Relaxed);
    probe.join().unwrap();
    assert!(answered.load(Ordering::Relaxed) > 10);
}

/// T38.
#[test]
fn rules_look_at_paths_queries_headers_and_methods() {
    let reviews = three_reviews();
    let mesh = Setup::new(&reviews).with("bookinfo.yaml").with("match-kinds.yaml").start();
    let cases: &[(&[&str], &str, &str)] = &[
        (&[], "/exact", "exact"),
        (&[], "/exact?q=1", "exact"),
        (&[], "/exact/more", "v1"),
        (&[], "/Exact", "v1"),
        (&[], "/prefix/any/thing", "prefix"),
        (&[], "/prefix", "v1"),
        (&[], "/item/42", "regex"),
        // A regular expression has to match the whole path.
        (&[], "/item/42/more", "v1"),
        (&[], "/item/x", "v1"),
        (&[], "/qUIET", "any case"),
        (&[], "/query?page=2", "query exact"),
        (&[], "/query?page=17", "query regex"),
        (&[], "/query?page=last", "v1"),
        (&[], "/query", "v1"),
        (&[], "/without", "not there"),
        (&["-H", "x-secret: closed"], "/without", "not that value"),
        (&["-H", "x-secret: open"], "/without", "v1"),
        (&["-H", "x-one: abc", "-H", "x-two: xyz"], "/both", "both or deleted"),
        (&["-H", "x-one: abc"], "/both", "v1"),
        (&["-X", "DELETE"], "/both", "both or deleted"),
    ];
    for (arguments, path, expected) in cases {
        let url = format!("http://reviews:9080{path}");
        let reply = mesh.curl(&[arguments, [url.as_str()].as_slice()].concat());
        assert_eq!(reply.summary(), (200, *expected), "{arguments:?} {path}");
    }
}
