//! Rules for documents: links lead somewhere, the maps show every crate.

use std::path::{Component, Path, PathBuf};

use pilotage_testkit::workspace::{assert_none, crates, files};

#[test]
fn every_link_leads_to_a_file() {
    let root = pilotage_testkit::root();
    let mut findings = Vec::new();
    for file in files().iter().filter(|f| f.path.ends_with(".md")) {
        for (number, line) in outside_code(file.text.as_deref().unwrap_or_default()) {
            for target in link_targets(line) {
                let path = target.split('#').next().unwrap_or_default();
                let elsewhere = path.contains("://") || path.starts_with("mailto:");
                if path.is_empty() || elsewhere {
                    continue;
                }
                let base = Path::new(&file.path).parent().unwrap_or(Path::new(""));
                if !root.join(normal(&base.join(path))).exists() {
                    findings.push(format!("{}:{number}: {target}", file.path));
                }
            }
        }
    }
    assert_none(&findings, "a link leads to nothing");
}

/// Lines outside fenced code, numbered from 1.
fn outside_code(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((index + 1, line));
        }
    }
    lines
}

fn link_targets(line: &str) -> Vec<&str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect()
}

/// `path` without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

#[test]
fn the_maps_show_every_crate() {
    let read = |map| std::fs::read_to_string(pilotage_testkit::root().join(map)).unwrap();
    let maps = read("README.md") + &read("ARCHITECTURE.md");
    let shown = |name: &String| maps.contains(&format!("`{name}`"));
    let findings: Vec<String> = crates().into_iter().filter(|name| !shown(name)).collect();
    assert_none(&findings, "README.md or ARCHITECTURE.md shows every crate to a newcomer");
}
