//! What a real istiod sends is taken as a whole: only what Envoy refuses is refused, and every field that is not obeyed
//! says so. Reads the recording beside the repository where it is present.

#![expect(clippy::unwrap_used, reason = "a panic is how this test fails")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pilotage_engine::{LiveState, Rejection, Severity, Tables};
use pilotage_proto::json::from_value;
use pilotage_proto::{Message, Name, ResourceSet};
use serde_json::Value;

fn recording() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/oracle/cases");
    path.is_dir().then_some(path)
}

/// All resources of one kind in a dump, by name.
fn resources<M: Message + Name + Default>(
    dump: &Value,
    kind: &str,
    key: &str,
) -> BTreeMap<String, Arc<M>> {
    let list = dump.get(kind).and_then(Value::as_array).into_iter().flatten();
    list.map(|resource| {
        let name = resource.get(key).and_then(Value::as_str).unwrap_or_default();
        (name.to_owned(), Arc::new(from_value(resource).unwrap()))
    })
    .collect()
}

/// What the engine says about one dump.
fn verdicts(file: &Path) -> Vec<Rejection> {
    let dump: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let set = ResourceSet {
        listeners: resources(&dump, "listeners", "name"),
        routes: resources(&dump, "routes", "name"),
        clusters: resources(&dump, "clusters", "name"),
        endpoints: resources(&dump, "endpoints", "clusterName"),
        ..ResourceSet::default()
    };
    let live = LiveState::new();
    let (tables, rejections) = Tables::apply(&Tables::empty(), &set, &live);
    let (again, more) = Tables::apply(&tables, tables.accepted(), &live);
    assert_eq!(more, [], "what was taken once is taken again without a word");
    assert_eq!(again.clusters().count(), tables.clusters().count());
    rejections
}

/// A path without the numbers in it.
fn general(path: &str) -> String {
    path.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[test]
fn only_what_envoy_refuses_is_refused() {
    let Some(cases) = recording() else {
        println!("skipped: there is no recording beside the repository");
        return;
    };
    let mut refused = Vec::new();
    let mut warned: BTreeMap<String, usize> = BTreeMap::new();
    let mut folders: Vec<_> =
        std::fs::read_dir(cases).unwrap().map(|e| e.unwrap().path()).collect();
    folders.sort();
    for case in &folders {
        let mut files: Vec<_> =
            std::fs::read_dir(case.join("istio")).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        for file in files {
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            if ["outcomes", "validation", "analyze"].contains(&name.as_str()) {
                continue;
            }
            let case = case.file_name().unwrap().to_string_lossy();
            for rejection in verdicts(&file) {
                if rejection.severity == Severity::Rejected {
                    refused.push(format!("{case}/{name}: {rejection}"));
                } else {
                    let path = general(&rejection.path);
                    *warned.entry(format!("{path}: {}", rejection.message)).or_default() += 1;
                }
            }
        }
    }
    for (warning, count) in &warned {
        println!("{count:6} {warning}");
    }
    assert_eq!(
        refused,
        [
            "vsm-redirect-fields/client: route configuration 9080: virtual_hosts[1].routes[8].action: is required",
            "vsp-fault-abort-kinds/client: route configuration 9080: \
             virtual_hosts[1].routes[5].typed_per_filter_config[envoy.filters.http.fault].abort.http_status: \
             must be at least 200 and below 600",
        ]
    );
}
