//! `explain --live`: what a running process would do with a request now.

use std::net::TcpListener;

use serde_json::Value;

use crate::harness::{Client, Up, command, reviews_at, service};

const RULES: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - match: [{headers: {end-user: {exact: jason}}}]
    retries: {attempts: 0}
    route: [{destination: {host: reviews, subset: v2}}]
  - route: [{destination: {host: reviews, subset: v1}}]
";

/// Asks the running process, and returns the exit code, the answer, and what was said beside it.
fn ask(up: &Up, arguments: &[&str]) -> (i32, Value, String) {
    let port = up.address("admin").port().to_string();
    let output = command(&["explain", "--live", "--admin-port", &port, "-o", "json"])
        .args(arguments)
        .output()
        .unwrap();
    let answer = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), answer, said)
}

#[test]
fn the_answer_is_that_of_the_generation_in_force() {
    let yaml = reviews_at(&[service("v1"), service("v2")]);
    let up = Up::start(&[("services.yaml", yaml), ("rules.yaml", RULES.to_owned())]);
    let subset = |answer: &Value| answer["clusters"][0]["subset"].clone();
    let (code, answer, _) = ask(&up, &["http://reviews:9080/"]);
    assert_eq!((code, subset(&answer)), (0, "v1".into()));
    let place = &answer["rule"]["place"];
    assert!(place["file"].as_str().unwrap().ends_with("rules.yaml"), "{place}");
    assert_eq!(place["line"], 10);
    up.save("rules.yaml", &RULES.replace("subset: v1", "subset: v2"));
    up.line_with("generation 2:");
    let (_, answer, _) = ask(&up, &["http://reviews:9080/"]);
    assert_eq!(subset(&answer), "v2");
    // The address may stand behind `--live`, with or without `=`.
    let admin = up.address("admin").to_string();
    for live in [vec!["--live", &admin], vec![&*format!("--live={admin}")]] {
        let done =
            command(&["explain", "GET", "http://reviews:9080/"]).args(live).output().unwrap();
        let told = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(told.contains("v2  100 %"), "{told} {}", String::from_utf8_lossy(&done.stderr));
    }
    // What makes no sense is told as for files.
    let (code, _, said) = ask(&up, &["http:///"]);
    assert_eq!(code, 64);
    assert!(said.contains("names no host"), "{said}");
    let (code, _, said) = ask(&up, &["http://reviews:9080/", "--proxy", "gateway"]);
    assert_eq!(code, 64);
    assert!(said.contains("no Gateway object"), "{said}");
}

#[test]
fn ejected_endpoints_are_shown() {
    // Nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let yaml = reviews_at(&[service("v1"), closed]);
    let detection = "trafficPolicy: {outlierDetection: {consecutive5xxErrors: 2, maxEjectionPercent: 100, \
                     baseEjectionTime: 300s}}, host: reviews,";
    let yaml = yaml.replace("host: reviews,", detection);
    let up = Up::start(&[("services.yaml", yaml), ("rules.yaml", RULES.to_owned())]);
    let asked = ["http://reviews:9080/", "-H", "end-user: jason"];
    let endpoint = |answer: &Value| answer["clusters"][0]["endpoints"][0].clone();
    let (_, answer, _) = ask(&up, &asked);
    assert_eq!(endpoint(&answer)["health"], "healthy");
    let mut client = Client::connect(up.address("mesh"));
    for _ in 0..3 {
        client.get("http://reviews:9080/", "reviews:9080", "end-user: jason\r\n");
    }
    let (_, answer, _) = ask(&up, &asked);
    assert_eq!(endpoint(&answer)["health"], "ejected", "{}", endpoint(&answer));
    let reason = endpoint(&answer)["reason"].clone();
    assert!(reason.as_str().unwrap().starts_with("2 × consecutive_5xx, back in "), "{reason}");
}
