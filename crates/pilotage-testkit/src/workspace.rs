//! The workspace as data: its crates, their dependencies, its files. For the tests of layering and tidiness.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Names of the crates of this workspace.
#[must_use]
pub fn crates() -> Vec<String> {
    own_dependencies().into_keys().collect()
}

/// For each crate of the workspace, the other ones that it depends on in what it ships: normal and build dependencies,
/// optional ones too.
#[must_use]
pub fn own_dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeSet<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let of = |package: &Value| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        dependencies
            .filter(|d| d["kind"].as_str() != Some("dev"))
            .filter_map(|d| d["name"].as_str())
            .filter(|name| names.contains(name))
            .map(str::to_owned)
            .collect()
    };
    packages.iter().map(|p| (p["name"].as_str().unwrap().to_owned(), of(p))).collect()
}

/// Names of all packages that `name` is built with when nothing asks for more than `features` says.
#[must_use]
pub fn all_dependencies(name: &str, features: &[&str]) -> BTreeSet<String> {
    let mut arguments = vec![
        "tree",
        "--package",
        name,
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ];
    arguments.extend(features);
    let tree = cargo(&arguments);
    tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn cargo(arguments: &[&str]) -> String {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program)
        .args(arguments)
        .args(["--locked", "--offline"])
        .current_dir(crate::root())
        .output()
        .expect("cargo runs");
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {arguments:?}: {problem}");
    String::from_utf8(output.stdout).unwrap()
}

/// A file of the repository.
#[derive(Debug)]
pub struct File {
    /// Its path below the root, with `/`.
    pub path: String,
    /// Its content; nothing when it is no text.
    pub text: Option<String>,
    /// Its size in bytes.
    pub bytes: u64,
}

impl File {
    /// Whether this is Rust source.
    #[must_use]
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The crate that the file belongs to, if it is in one.
    #[must_use]
    pub fn package(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    /// Lines that are shipped, numbered from 1: without `#[cfg(test)]` modules, test files, benches and examples.
    pub fn shipped_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let parts: Vec<&str> = self.path.split('/').collect();
        let for_tests =
            parts.iter().any(|p| ["tests", "tests.rs", "benches", "examples"].contains(p));
        let lines = self.text.as_deref().filter(|_| !for_tests).unwrap_or_default().lines();
        lines
            .enumerate()
            .map(|(i, line)| (i + 1, line))
            .take_while(|(_, line)| *line != "#[cfg(test)]")
    }

    /// All lines, numbered from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.as_deref().unwrap_or_default().lines();
        lines.enumerate().map(|(i, line)| (i + 1, line))
    }
}

/// The files of the checkout, by path, without what builds and tools leave behind.
#[must_use]
pub fn files() -> Vec<File> {
    let mut found = Vec::new();
    collect(&crate::root(), &crate::root(), &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(directory: &Path, root: &Path, found: &mut Vec<File>) {
    const LEFT_BEHIND: [&str; 4] = [".git", ".peers", "target", "demo"];
    for entry in fs::read_dir(directory).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if (directory == root && LEFT_BEHIND.contains(&name.as_str())) || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            collect(&path, root, found);
            continue;
        }
        let content = fs::read(&path).unwrap();
        found.push(File {
            path: path.strip_prefix(root).unwrap().to_string_lossy().into_owned(),
            bytes: content.len() as u64,
            text: String::from_utf8(content).ok(),
        });
    }
}

/// Fails with all `findings`, one a line, when there are any.
///
/// # Panics
/// That is what it is for.
pub fn assert_none(findings: &[String], rule: &str) {
    assert!(findings.is_empty(), "{rule}\n  {}", findings.join("\n  "));
}
