//! Routes that other teams keep.

use crate::mesh::{Setup, fixture, free_port};
use crate::workload::Workload;

/// T39.
#[test]
fn teams_keep_their_own_routes_below_one_host() {
    let be = ["v1", "v2"].map(|version| Workload::new("be", version));
    let port = free_port();
    let mut mesh =
        Setup::new(&be).with("backend.yaml").with("delegates.yaml").value("WEB", port).start();
    let ask = |mesh: &crate::mesh::Mesh, path: &str| {
        let reply = mesh.at_gateway(port, &["--header", "Host: app.example.test"], path);
        (reply.status, reply.body)
    };
    let found = |body: &str| (200, body.to_owned());
    let missing = (404, String::new());
    assert_eq!(ask(&mesh, "/a/v2/x"), found("v2"));
    // A rule of the delegate that says nothing takes what the root matches.
    assert_eq!(ask(&mesh, "/a/x"), found("v1"));
    assert_eq!(ask(&mesh, "/c"), missing);
    // Nobody keeps these routes yet, which is nobody else's problem.
    assert_eq!(ask(&mesh, "/b"), missing);

    mesh.apply("delegate-b.yaml", &fixture("delegate-b.yaml"));
    assert_eq!(ask(&mesh, "/b"), found("v2"));
    // Not below what the root gives away: the rule is dropped.
    assert_eq!(ask(&mesh, "/elsewhere"), missing);
    assert_eq!(ask(&mesh, "/a/x"), found("v1"));
}
