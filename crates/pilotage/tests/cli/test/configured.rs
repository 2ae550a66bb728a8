//! Tests of a mesh's configuration.

use crate::support::{Folder, pilotage};

const HELLO: &str = include_str!("../../../../pilotage-route-test/testdata/hello.yaml");
const RULES: &str = "\
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: hello}
spec:
  hosts: [hello.test]
  http:
  - match: [{headers: {end-user: {exact: jason}}}]
    route: [{destination: {host: hello.test, subset: v2}}]
  - match: [{uri: {prefix: /beta}}]
    route: [{destination: {host: hello.test, subset: v2}}]
  - route:
    - {destination: {host: hello.test, subset: v1}, weight: 90}
    - {destination: {host: hello.test, subset: v2}, weight: 10}
";

const TESTS: &str = "\
config: [mesh]
tests:
- name: jason is first
  request: GET http://hello.test/ -H end-user:jason
  expect: hello.test/v2
table: |
  | request            | to                               |
  |--------------------|----------------------------------|
  | http://hello.test/ | 90% hello.test/v1, 10% hello.test/v2 |
";

fn mesh() -> String {
    format!("{HELLO}{RULES}")
}

#[expect(clippy::unwrap_used, reason = "a test that cannot run has failed")]
fn folder() -> (Folder, String) {
    let folder = Folder::new();
    std::fs::create_dir(folder.file("mesh")).unwrap();
    folder.write("mesh/hello.yaml", &mesh());
    folder.write("tests.yaml", TESTS);
    let tests = folder.file("tests.yaml").display().to_string();
    (folder, tests)
}

#[test]
fn configuration_is_found_beside_the_tests_and_rules_without_a_test_are_listed() {
    let (_folder, tests) = folder();
    let done = pilotage(&["test", &tests]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert!(
        done.stdout.starts_with("2 tests: 2 passed\ncoverage: 2 of 3 rules, 66.6 %\n"),
        "{}",
        done.stdout
    );
    assert!(done.stdout.contains("VirtualService default/hello http[1]"), "{}", done.stdout);
    assert!(done.stdout.contains("hello.yaml:25"), "{}", done.stdout);
    assert_eq!(pilotage(&["test", &tests, "--fail-under", "80"]).code, 79);
}

#[test]
fn a_failure_names_request_asker_and_rule() {
    let (folder, tests) = folder();
    folder.write("mesh/hello.yaml", &mesh().replace("weight: 90", "weight: 80"));
    let done = pilotage(&["test", &tests]);
    assert_eq!(done.code, 79);
    for part in [
        "FAIL http://hello.test/",
        "tests.yaml:9",
        "from       sidecar in default",
        "expected 90% hello.test/v1, 10% hello.test/v2",
        "got      88.889% hello.test/v1, 11.111% hello.test/v2",
        "VirtualService default/hello http[2]",
        "hello.yaml:27",
    ] {
        assert!(done.stdout.contains(part), "{part}: {}", done.stdout);
    }
}

#[test]
fn slips_in_tests_and_in_configuration_stop_the_run() {
    let (folder, tests) = folder();
    folder.write("tests.yaml", &TESTS.replace("expect:", "exepct:"));
    let done = pilotage(&["test", &tests]);
    assert_eq!((done.code, done.stdout.as_str()), (65, ""));
    assert!(done.stderr.contains("did you mean `expect`?"), "{}", done.stderr);
    folder.write("tests.yaml", TESTS);
    folder.write("mesh/hello.yaml", &mesh().replace("weight: 90", "wieght: 90"));
    let done = pilotage(&["test", &tests]);
    assert_eq!((done.code, done.stdout.as_str()), (65, ""));
    assert!(done.stderr.contains("did you mean `weight`?"), "{}", done.stderr);
}

#[test]
fn tests_without_configuration_are_told_where_to_put_it() {
    let (folder, tests) = folder();
    folder.write("tests.yaml", &TESTS.replace("config: [mesh]\n", ""));
    let done = pilotage(&["test", &tests]);
    assert_eq!(done.code, 64);
    assert!(done.stderr.contains("`config: [PATH]`"), "{}", done.stderr);
    let mesh = folder.file("mesh").display().to_string();
    assert_eq!(pilotage(&["test", &tests, "-f", &mesh]).code, 0);
}

#[test]
fn mutations_that_no_test_notices_are_named_with_their_line() {
    let (_folder, tests) = folder();
    let done = pilotage(&["test", &tests, "--mutate"]);
    assert_eq!(done.code, 79);
    for part in [
        "no test notices",
        "VirtualService default/hello http[0]\n      the rule comes after http[1]",
        "hello.yaml:23",
    ] {
        assert!(done.stdout.contains(part), "{part}: {}", done.stdout);
    }
    let told = pilotage(&["test", &tests, "--mutate", "--mutants", "3", "-o", "json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(json["mutations"]["tried"], 3);
    let again = pilotage(&["test", &tests, "--mutate", "--mutants", "3", "-o", "json"]).stdout;
    assert_eq!(told, again);
    let junit = pilotage(&["test", &tests, "--mutate", "-o", "junit"]).stdout;
    assert!(junit.contains("<testsuite name=\"mutations\""), "{junit}");
}
