//! Mistakes in the usage or in files: a clear message and the right exit code, or the right result.

use std::fs;
use std::net::TcpListener;
use std::process::Output;

use crate::harness::{Client, Up, command, reviews_at, service, weights};

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command(arguments).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn without_a_path_it_is_a_mistake_in_the_usage() {
    let (code, message) = run(&["up"]);
    assert_eq!(code, Some(64));
    assert!(message.contains("no files"), "{message}");
    assert_eq!(run(&["up", "--outbound-port", "70000", "."]).0, Some(64));
    assert_eq!(run(&["up", "--labels", "nonsense", "."]).0, Some(64));
}

#[test]
fn a_path_that_is_not_there_is_named() {
    let (code, message) = run(&["up", "/nowhere/at/all"]);
    assert_eq!(code, Some(65));
    assert!(message.contains("/nowhere/at/all: there is no such file or folder"), "{message}");
}

#[test]
fn a_port_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port().to_string();
    let path = folder.path().to_str().unwrap();
    let (code, message) = run(&[
        "up",
        path,
        "--outbound-port",
        &port,
        "--admin-port",
        "0",
        "--metrics-port",
        "0",
        "--ready-port",
        "0",
    ]);
    assert_eq!(code, Some(1));
    assert!(message.contains(&port) && message.contains("--outbound-port"), "{message}");
}

#[test]
fn an_empty_folder_is_waited_for() {
    let up = Up::start(&[]);
    up.save("services.yaml", &reviews_at(&[service("v1")]));
    up.line_with("generation 2:");
    let mut client = Client::connect(up.address("mesh"));
    assert_eq!(client.get("http://reviews:9080/", "reviews:9080", "").body, "v1");
}

#[test]
fn junk_beside_good_files_harms_nothing() {
    let deep = format!("{}x{}", "[".repeat(100_000), "]".repeat(100_000));
    let yaml = reviews_at(&[service("v1"), service("v2")]);
    let up = Up::start(&[
        ("deep.yaml", deep),
        ("services.yaml", yaml),
        ("rules.yaml", weights(0, 100)),
        (
            "bomb.yaml",
            format!(
                "a: &a [x]\n{}",
                (0..200).map(|i| format!("b{i}: [*a, *a]\n")).collect::<String>()
            ),
        ),
    ]);
    fs::write(
        up.path("junk.yaml"),
        (0..100_000_u32).map(|i| (i * 7 % 251) as u8).collect::<Vec<_>>(),
    )
    .unwrap();
    up.save("other.yaml", &weights(1, 1).replace("reviews", "other"));
    up.line_with("generation 2:");
    let mut client = Client::connect(up.address("mesh"));
    assert_eq!(client.get("http://reviews:9080/", "reviews:9080", "").body, "v2");
}
