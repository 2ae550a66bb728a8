//! Where endpoints run decides who of them is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::mesh::{Mesh, Setup};
use crate::shares::assert_shares;
use crate::workload::{Response, Workload};

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

/// T11. A zone fails once its endpoint answers with an error, as a breaker for one error ejects it.
#[test]
fn the_next_zone_takes_over_when_one_fails() {
    let broken: [Arc<AtomicBool>; 4] = std::array::from_fn(|_| Arc::default());
    let workloads: Vec<Workload> = PLACES
        .iter()
        .zip(&broken)
        .map(|(&place, broken)| {
            let broken = Arc::clone(broken);
            let answer = move |_: &_| match broken.load(Ordering::Relaxed) {
                true => Response::status(500, "broken"),
                false => Response::ok(place),
            };
            Workload::with("be", place, answer).label("istio-locality", place)
        })
        .collect();
    let setting = "failover: [{from: r1, to: r2}]";
    let mesh = start(&workloads, setting, "consecutive5xxErrors: 1, maxEjectionPercent: 100");
    for (place, broken) in PLACES.iter().zip(&broken) {
        assert_shares(&mesh.ask(20, URL, ""), &[(place, 100.0)]);
        broken.store(true, Ordering::Relaxed);
        // The error that ejects it.
        assert_eq!(mesh.ask(1, URL, "")[0].status, 500);
    }
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
