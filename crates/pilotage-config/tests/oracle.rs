//! Everything that was fed to a real Istio loads, and what Istio cannot decode does not.
//!
//! The material is optional: without it the tests say so and pass.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pilotage_config::{Loaded, load, load_mesh_config};

/// A folder of the optional material, looked for beside the folders above.
fn shared(path: &str) -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found =
        here.ancestors().map(|folder| folder.join("shared").join(path)).find(|p| p.exists());
    if found.is_none() {
        skip(path);
    }
    found
}

#[expect(clippy::print_stdout, reason = "says why nothing was tested")]
fn skip(path: &str) {
    println!("skipped: {path} is not here");
}

fn load_file(path: &Path) -> Loaded {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    load(&name, &std::fs::read_to_string(path).unwrap())
}

fn cases() -> Vec<PathBuf> {
    let Some(cases) = shared("oracle/cases") else { return Vec::new() };
    let mut paths: Vec<_> =
        std::fs::read_dir(cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The objects that Istio's webhook rejects.
fn rejected(case: &Path) -> BTreeSet<String> {
    let verdicts = std::fs::read_to_string(case.join("istio/validation.json")).unwrap();
    let verdicts: serde_json::Value = serde_json::from_str(&verdicts).unwrap();
    let text = |value: &serde_json::Value, name| {
        value.get(name).and_then(serde_json::Value::as_str).unwrap_or("").to_owned()
    };
    verdicts
        .as_array()
        .unwrap()
        .iter()
        .filter(|verdict| verdict.get("valid") == Some(&false.into()))
        .map(|verdict| {
            let [kind, namespace, name] =
                ["kind", "namespace", "name"].map(|field| text(verdict, field));
            format!("{kind} {namespace}/{name}")
        })
        .collect()
}

/// It has a field that Istio does not know, which Istio ignores and we reject.
const UNKNOWN_FIELD: &str = "DestinationRule default/istio-support-labels-outside";

#[test]
fn objects_of_the_oracle_are_broken_where_istio_rejects_them() {
    for case in cases() {
        let loaded = load_file(&case.join("input.yaml"));
        let broken: BTreeSet<String> = loaded
            .broken
            .iter()
            .map(ToString::to_string)
            .filter(|name| name != UNKNOWN_FIELD)
            .collect();
        assert_eq!(broken, rejected(&case), "{}: {:?}", case.display(), loaded.diagnostics);
        assert_eq!(loaded.has_errors(), !loaded.broken.is_empty(), "{}", case.display());
    }
}

#[test]
fn every_object_knows_the_place_of_its_fields() {
    for case in cases() {
        for object in load_file(&case.join("input.yaml")).objects {
            let place = object.spans.key(&"metadata.name".into()).unwrap();
            assert!(place.line >= object.source.span.line, "{object} in {}", case.display());
        }
    }
}

#[test]
fn settings_of_the_mesh_load() {
    for case in cases() {
        let text = std::fs::read_to_string(case.join("case.yaml")).unwrap();
        let Some((_, mesh)) = text.split_once("\nmesh:") else { continue };
        let block: String = mesh
            .lines()
            .enumerate()
            .take_while(|(number, line)| *number == 0 || line.starts_with(' '))
            .map(|(_, line)| format!("{line}\n"))
            .collect();
        let (_, problems) = load_mesh_config("mesh", &block);
        assert!(problems.is_empty(), "{}: {problems:?}", case.display());
    }
}

#[test]
fn fixtures_and_bookinfo_load_without_errors() {
    for folder in ["oracle/fixtures", "inputs/bookinfo/networking", "inputs/bookinfo/kube"] {
        let Some(folder) = shared(folder) else { continue };
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let loaded = load_file(&path);
            assert!(!loaded.has_errors(), "{}: {:?}", path.display(), loaded.diagnostics);
            let found = !loaded.objects.is_empty() || loaded.passed_over.total() > 0;
            assert!(found, "{} is empty", path.display());
        }
    }
}

#[test]
fn seed_examples_load_or_say_what_to_do() {
    let expectations: [(&str, &[&str]); 7] = [
        ("reviews-80-20.yaml", &[]),
        ("reviews-rule.yaml", &[]),
        ("imesh-route.yaml", &[]),
        ("imesh-rule-broken.yaml", &["9:1: error[PIL0009]"]),
        ("my-vtl-svc-broken.yaml", &["7:7: error[PIL0007]", "8:7: error[PIL0009]"]),
        ("jason-broken.yaml", &["7:7: error[PIL0007]", "17:5: error[PIL0009]"]),
        ("my-namespace-broken.yaml", &["7:7: error[PIL0007]"]),
    ];
    let Some(folder) = shared("inputs/seed-examples") else { return };
    for (name, expected) in expectations {
        let loaded = load_file(&folder.join(name));
        assert_eq!(loaded.objects.len(), usize::from(expected.is_empty()), "{name}");
        let problems: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), expected.len(), "{name}: {problems:?}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.starts_with(&format!("{name}:{expected}")), "{name}: {problem}");
        }
    }
}
