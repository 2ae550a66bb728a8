//! `diff --live`: files against what a running process has in force.

use crate::harness::{Up, command, reviews_at, service, weights};

#[test]
fn files_are_compared_with_what_is_in_force() {
    let mesh = reviews_at(&[service("v1"), service("v2")]);
    let up = Up::start(&[("mesh.yaml", mesh), ("rules.yaml", weights(100, 0))]);
    let admin = up.address("admin").to_string();
    let folder = up.path("mesh.yaml").parent().unwrap().to_owned();
    let diff = |folder: &std::path::Path| {
        let done = command(&["diff", "--live", &admin]).arg(folder).output().unwrap();
        (done.status.code(), String::from_utf8(done.stdout).unwrap())
    };
    let (code, stdout) = diff(&folder);
    assert_eq!(code, Some(0), "{stdout}");

    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(folder.join("mesh.yaml"), copy.path().join("mesh.yaml")).unwrap();
    std::fs::write(copy.path().join("rules.yaml"), weights(0, 100)).unwrap();
    let (code, stdout) = diff(copy.path());
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.contains("host reviews") && stdout.contains("v2"), "{stdout}");
}
