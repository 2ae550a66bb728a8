//! Requests that come back to the same endpoint.

use std::collections::BTreeSet;

use crate::mesh::Setup;
use crate::workload::Workload;

const URL: &str = "http://be:8000/";

/// T36.
#[test]
fn a_cookie_brings_a_client_back_to_its_endpoint() {
    let workloads = ["v1", "v2", "v3", "v4", "v5"].map(|version| Workload::new("be", version));
    let mesh = Setup::new(&workloads).with("backend-sticky.yaml").start();
    let folder = tempfile::tempdir().unwrap();
    let mut answered = BTreeSet::new();
    for user in 0..20 {
        let jar = folder.path().join(user.to_string());
        let jar = jar.to_str().unwrap();
        let first = mesh.curl(&["--cookie-jar", jar, URL]);
        let cookie = first.header("set-cookie").expect("a cookie for who has none");
        assert!(cookie.starts_with("user=") && cookie.ends_with("; HttpOnly"), "{cookie}");
        assert!(!cookie.contains("Max-Age"), "{cookie}");
        let pair = cookie.split(';').next().unwrap().to_owned();
        for _ in 0..3 {
            let again = mesh.curl(&["--cookie", &pair, URL]);
            assert_eq!(again.summary(), first.summary());
            assert_eq!(again.header("set-cookie"), None);
        }
        answered.insert(first.body);
    }
    // Twenty users at one endpoint of five: a chance below one in 10^13.
    assert!(answered.len() > 1, "{answered:?}");
}
