//! Requests that leave the mesh.

use crate::mesh::{Setup, fixture};
use crate::workload::Workload;

/// T20, for a server that speaks HTTP.
#[test]
fn who_is_not_known_is_reached_all_the_same() {
    let outside = Workload::new("outside", "outside");
    let mesh = Setup::new([]).with("external-http.yaml").value("EXTERNAL", 1).start();
    let url = format!("http://{}/any", outside.address());
    let reply = mesh.curl(&[&url]);
    assert_eq!(reply.summary(), (200, "outside"));
    mesh.logged(&["GET /any", " PassthroughCluster "]);
}

/// T21, for HTTP; and back, as the policy changes.
#[test]
fn who_is_not_known_is_refused_when_only_the_registry_counts() {
    let outside = Workload::new("outside", "outside");
    let known = Workload::new("ext", "known");
    let mut mesh = Setup::new([])
        .with("external-http.yaml")
        .value("EXTERNAL", known.address().port())
        .with("outside-refused.yaml")
        .start();
    let url = format!("http://{}/any", outside.address());
    let refused = mesh.curl(&[&url]);
    assert_eq!(refused.summary(), (502, ""));
    assert!(outside.take_seen().is_empty());
    mesh.logged(&["GET /any", " 502 - direct_response "]);
    assert_eq!(mesh.curl(&["http://ext.test/"]).summary(), (200, "known"));
    let allowed = fixture("outside-refused.yaml").replace("REGISTRY_ONLY", "ALLOW_ANY");
    mesh.apply("outside-refused.yaml", &allowed);
    assert_eq!(mesh.curl(&[&url]).summary(), (200, "outside"));
}

/// T22. A server outside that rules and metrics know by name.
#[test]
fn a_server_outside_is_reached_by_the_name_of_its_entry() {
    let outside = Workload::new("ext", "outside");
    let mesh = Setup::new([])
        .with("external-http.yaml")
        .value("EXTERNAL", outside.address().port())
        .start();
    let reply = mesh.curl(&["http://ext.test/headers"]);
    assert_eq!(reply.summary(), (200, "outside"));
    assert_eq!(reply.header("server"), Some("envoy"));
    assert_eq!(outside.take_seen()[0].header("host"), "ext.test");
    mesh.logged(&["GET /headers", " outbound|80||ext.test "]);
}

/// T34 (a). A service of Kubernetes that is but another name for a server outside.
#[test]
fn a_server_outside_is_reached_by_the_name_of_a_service() {
    let outside = Workload::new("outside", "outside");
    let port = outside.address().port();
    let mesh = Setup::new([]).with("external-name.yaml").value("EXTERNAL", port).start();
    let host = format!("my-httpbin.default.svc.cluster.local:{port}");
    for name in [&host, &format!("my-httpbin:{port}")] {
        let reply = mesh.curl(&[&format!("http://{name}/headers")]);
        assert_eq!(reply.summary(), (200, "outside"), "{name}");
        assert_eq!(outside.take_seen()[0].header("host"), *name);
    }
    mesh.logged(&["GET /headers", " PassthroughCluster "]);
}
