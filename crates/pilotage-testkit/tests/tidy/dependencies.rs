//! Rules for what others wrote: one version of each.

use std::collections::BTreeMap;

use pilotage_testkit::workspace::assert_none;

/// Packages that are built twice, each with who wants the older version.
const TWICE: &[(&str, &str)] = &[
    ("base64", "prost-reflect 0.16"),
    ("bit-vec", "yasna, of the certificates that tests make"),
    ("core-foundation", "system-configuration of hickory-resolver, on macOS only"),
    ("foldhash", "hashbrown 0.15"),
    ("getrandom", "ring 0.17"),
    ("hashbrown", "petgraph 0.8, of the build of the protos"),
    ("syn", "the derives of prost, miette and logos, of the build of the protos"),
    ("synstructure", "asn1-rs-derive, of x509-parser"),
    ("unicode-width", "miette, of the build of the protos"),
    ("windows-sys", "ring 0.17, on Windows only"),
];

#[test]
fn no_dependency_is_built_twice_without_a_reason() {
    let lock = std::fs::read_to_string(pilotage_testkit::root().join("Cargo.lock")).unwrap();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut name = "";
    for line in lock.lines() {
        let quoted = |key| line.strip_prefix(key).and_then(|rest: &str| rest.strip_suffix('"'));
        if let Some(found) = quoted("name = \"") {
            name = found;
        } else if let Some(version) = quoted("version = \"").filter(|_| !name.is_empty()) {
            versions.entry(name).or_default().push(version);
            name = "";
        }
    }
    assert!(versions.len() > 20, "Cargo.lock was not understood");
    let twice = versions.iter().filter(|(_, versions)| versions.len() > 1);
    let unexplained = twice.filter(|(name, _)| !TWICE.iter().any(|(known, _)| known == *name));
    let findings: Vec<_> =
        unexplained.map(|(name, v)| format!("{name} {}", v.join(", "))).collect();
    assert_none(
        &findings,
        "two versions of a package cost build time and size; say why in TWICE, or align them",
    );
    let stale = TWICE.iter().filter(|(name, _)| versions.get(name).is_none_or(|v| v.len() < 2));
    let stale: Vec<_> = stale.map(|(name, why)| format!("{name} ({why})")).collect();
    assert_none(&stale, "no longer built twice: take it out of TWICE");
}
