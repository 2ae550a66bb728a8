//! What may depend on what (DESIGN invariants I1 to I5, I7).

use std::collections::BTreeSet;

use pilotage_testkit::workspace::{all_dependencies, assert_none, files, own_dependencies};

/// The crates below the program.
const ALL: [&str; 10] = [
    "pilotage-config",
    "pilotage-model",
    "pilotage-proto",
    "pilotage-compile",
    "pilotage-engine",
    "pilotage-explain",
    "pilotage-route-test",
    "pilotage-symbolic",
    "pilotage-proxy",
    "pilotage-control",
];

/// For each crate, the ones of ours that it may use in what it ships.
const ALLOWED: &[(&str, &[&str])] = &[
    ("pilotage-config", &[]),
    ("pilotage-model", &["pilotage-config"]),
    ("pilotage-proto", &[]),
    ("pilotage-compile", &["pilotage-model", "pilotage-proto", "pilotage-config"]),
    (
        "pilotage-explain",
        &[
            "pilotage-config",
            "pilotage-model",
            "pilotage-proto",
            "pilotage-compile",
            "pilotage-engine",
        ],
    ),
    (
        "pilotage-route-test",
        &[
            "pilotage-config",
            "pilotage-model",
            "pilotage-proto",
            "pilotage-compile",
            "pilotage-engine",
            "pilotage-explain",
        ],
    ),
    ("pilotage-symbolic", &["pilotage-engine", "pilotage-proto"]),
    ("pilotage-engine", &["pilotage-proto"]),
    ("pilotage-proxy", &["pilotage-engine", "pilotage-proto"]),
    (
        "pilotage-control",
        &["pilotage-config", "pilotage-model", "pilotage-compile", "pilotage-proto"],
    ),
    ("pilotage", &ALL),
    // Starts proxies as processes and drives load; never shipped.
    ("pilotage-bench", &[]),
    ("pilotage-testkit", &ALL),
];

/// Crates that compute and never wait: they build without a runtime.
const PURE: [&str; 8] = [
    "pilotage-config",
    "pilotage-model",
    "pilotage-proto",
    "pilotage-compile",
    "pilotage-engine",
    "pilotage-explain",
    "pilotage-route-test",
    "pilotage-symbolic",
];

#[test]
fn crates_use_only_the_crates_that_they_may() {
    let present = own_dependencies();
    let known = ALLOWED.iter().map(|(name, _)| *name);
    let mut findings: Vec<String> = known
        .filter(|name| !present.contains_key(*name))
        .map(|name| format!("{name} is in the table of layers and is no crate"))
        .collect();
    for (name, used) in present {
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            findings.push(format!("{name} is not in the table of layers"));
            continue;
        };
        let allowed: BTreeSet<String> = allowed.iter().map(|&a| a.to_owned()).collect();
        findings.extend(used.difference(&allowed).map(|more| format!("{name} uses {more}")));
    }
    assert_none(&findings, "the layers are a table in this test; a crate steps out of its layer");
}

/// I1: the protos are the only contract between the halves.
#[test]
fn the_engine_cannot_see_configuration() {
    let seen = all_dependencies("pilotage-engine", &[]);
    for forbidden in ["pilotage-config", "pilotage-model", "pilotage-compile"] {
        assert!(!seen.contains(forbidden), "pilotage-engine is built with {forbidden}");
    }
}

/// I2, I3: runtimes, codecs and TLS stacks stay at the edge, Kubernetes in its own crate.
#[test]
fn pure_crates_build_without_a_runtime() {
    const RUNTIMES: [&str; 9] =
        ["tokio", "hyper", "h2", "rustls", "tonic", "mio", "kube", "k8s-openapi", "reqwest"];
    let mut findings = Vec::new();
    for name in PURE {
        let built_with = all_dependencies(name, &["--no-default-features"]);
        let found = RUNTIMES.iter().filter(|runtime| built_with.contains(**runtime));
        findings.extend(found.map(|runtime| format!("{name} is built with {runtime}")));
    }
    assert_none(&findings, "pure crates wait for nothing");
}

#[test]
fn kubernetes_stays_with_the_program() {
    let used = own_dependencies();
    for name in
        used.keys().filter(|name| !["pilotage", "pilotage-testkit"].contains(&name.as_str()))
    {
        let built_with = all_dependencies(name, &[]);
        for kubernetes in ["kube", "k8s-openapi"] {
            assert!(!built_with.contains(kubernetes), "{name} is built with {kubernetes}");
        }
    }
}

/// I4: same input, same output. What a pure crate needs to know of the world is an argument.
#[test]
fn pure_crates_read_no_clock_no_chance_no_environment_and_no_file() {
    const WORLD: [&str; 14] = [
        "SystemTime::now",
        "Instant::now",
        "Utc::now",
        "env::var",
        "env::args",
        "env::current_dir",
        "std::fs",
        "File::open",
        "thread_rng",
        "rand::rng(",
        "rand::random",
        "fastrand::Rng::new()",
        "getrandom",
        "thread::sleep",
    ];
    let mut findings = Vec::new();
    for file in files().iter().filter(|f| f.is_rust() && is_pure_source(&f.path)) {
        for (number, line) in file.shipped_lines() {
            let code = line.split("//").next().unwrap_or_default();
            let found = WORLD.iter().filter(|w| code.contains(**w));
            findings.extend(found.map(|what| format!("{}:{number}: {what}", file.path)));
        }
    }
    assert_none(&findings, "pure crates are given `now` and randomness as arguments");
}

fn is_pure_source(path: &str) -> bool {
    PURE.iter().any(|name| path.starts_with(&format!("crates/{name}/src/")))
}

/// I7: the engine never waits.
#[test]
fn the_engine_has_no_async_code() {
    let mut findings = Vec::new();
    for file in files().iter().filter(|f| f.is_rust() && f.package() == Some("pilotage-engine")) {
        for (number, line) in file.lines() {
            if line.contains("async fn") || line.contains(".await") {
                findings.push(format!("{}:{number}", file.path));
            }
        }
    }
    assert_none(&findings, "the engine decides; waiting is the proxy's part");
}

/// I5, I8 are lints of the workspace: every crate must take part, and none may opt out of them.
#[test]
fn every_crate_keeps_the_lints_of_the_workspace() {
    const HELD: [&str; 8] = [
        "unwrap_used",
        "expect_used",
        "panic",
        "indexing_slicing",
        "unreachable",
        "todo",
        "unimplemented",
        "iter_over_hash_type",
    ];
    let all = files();
    let root = all.iter().find(|f| f.path == "Cargo.toml").and_then(|f| f.text.clone()).unwrap();
    let mut findings = Vec::new();
    for lint in HELD {
        if !root.contains(&format!("{lint} = \"warn\"")) {
            findings.push(format!("Cargo.toml does not warn of {lint}"));
        }
    }
    for file in &all {
        let text = file.text.as_deref().unwrap_or_default();
        if file.path.starts_with("crates/") && file.path.ends_with("/Cargo.toml") {
            if !text.contains("[lints]\nworkspace = true") {
                findings.push(format!("{} does not take the lints of the workspace", file.path));
            }
        } else if file.is_rust() && file.package() != Some("pilotage-testkit") {
            let shipped: Vec<&str> = file.shipped_lines().map(|(_, line)| line).collect();
            for attribute in shipped.join("\n").split("allow(").skip(1) {
                let lints = attribute.split(")]").next().unwrap_or_default();
                let held = HELD.iter().filter(|held| lints.contains(&format!("clippy::{held}")));
                findings.extend(held.map(|held| format!("{}: allows {held}", file.path)));
            }
        }
    }
    assert_none(&findings, "an exception is `#[expect(…, reason = \"…\")]` where it is needed");
}
