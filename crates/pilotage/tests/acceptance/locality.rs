//! Where endpoints run decides who of them is asked.

use crate::mesh::{Mesh, Setup};
use crate::shares::assert_shares;
use crate::workload::Workload;

const URL: &str = "http://be:8000/";

/// The places of the endpoints; each answers with its place.
const PLACES: [&str; 4] = ["r1.z1", "r1.z2", "r2.z3", "r3.z4"];

fn start(workloads: &[Workload], setting: &str, outliers: &str) -> Mesh {
    Setup::new(workloads)
        .with("backend-localities.yaml")
        .value("SETTING", setting)
        .value("OUTLIERS", outliers)
        .arguments(&["--labels", "istio-locality=r1.z1"])
        .start()
}

/// T12.
#[test]
fn traffic_is_distributed_over_zones_as_told() {
    let workloads = PLACES.map(|place| Workload::new("be", place).label("istio-locality", place));
    let to = r#"{"r1/z1/*": 70, "r1/z2/*": 20, "r3/z4/*": 10}"#;
    let setting = format!("distribute: [{{from: r1/z1/*, to: {to}}}]");
    let mesh = start(&workloads, &setting, "consecutive5xxErrors: 100");
    let shares = [("r1.z1", 70.0), ("r1.z2", 20.0), ("r3.z4", 10.0)];
    assert_shares(&mesh.ask(1000, URL, ""), &shares);
}
