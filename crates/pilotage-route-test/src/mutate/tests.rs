use std::sync::Arc;

use pilotage_model::Inputs;

use super::{Options, run};
use crate::native::TestFile;

const HELLO: &str = include_str!("../../testdata/hello.yaml");
const RULES: &str = "\
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: hello}
spec:
  hosts: [hello.test]
  http:
  - match: [{headers: {end-user: {exact: jason}}, uri: {prefix: /a}}]
    route: [{destination: {host: hello.test, subset: v2}}]
    timeout: 500ms
    headers: {request: {set: {x-a: b}}}
  - match: [{uri: {prefix: /never}}]
    route: [{destination: {host: hello.test, subset: v2}}]
  - route:
    - {destination: {host: hello.test, subset: v1}, weight: 90}
    - {destination: {host: hello.test, subset: v2}, weight: 10}
";

fn inputs() -> Inputs {
    let loaded = pilotage_config::load("mesh.yaml", &format!("{HELLO}{RULES}"));
    assert!(loaded.diagnostics.iter().all(|problem| !problem.is_error()), "{loaded:?}");
    let objects = loaded.objects.into_iter().map(Arc::new).collect();
    Inputs { objects, ..Inputs::default() }
}

fn unnoticed(tests: &str) -> Vec<String> {
    let file = TestFile::read(&"t.yaml".into(), tests).unwrap();
    let found = run(&inputs(), &[&file], Options { seed: 0, most: 1000 });
    assert_eq!(found.possible, found.tried.len());
    found.unnoticed().map(|m| format!("{}: {}", m.rule, m.change)).collect()
}

#[test]
fn weak_tests_leave_changes_unnoticed_and_each_is_named_with_its_line() {
    let weak = "tests: [{request: http://hello.test/a -H end-user:jason, expect: hello.test/v2}]";
    let first = "VirtualService default/hello http[0]";
    assert_eq!(
        unnoticed(weak),
        [
            format!("{first} (mesh.yaml:23): the rule comes after http[1]"),
            format!("{first} (mesh.yaml:23): without the condition uri"),
            format!("{first} (mesh.yaml:23): uri prefix /a → exact"),
            format!("{first} (mesh.yaml:23): without the condition headers end-user"),
            format!("{first} (mesh.yaml:25): timeout 500ms → 1s"),
            format!("{first} (mesh.yaml:25): without the timeout of 500ms"),
            format!("{first} (mesh.yaml:26): without set of request header x-a"),
        ]
    );
}

#[test]
fn strong_tests_leave_only_what_makes_no_difference() {
    let strong = "
tests:
- request: http://hello.test/a/b -H end-user:jason
  expect: {to: hello.test/v2, timeout: 500ms, requestHeaders: {x-a: b}}
- request: http://hello.test/b -H end-user:jason
  expect: 90% hello.test/v1, 10% hello.test/v2
- request: http://hello.test/a
  expect: 90% hello.test/v1, 10% hello.test/v2
";
    // No request fits both of the first two rules.
    let first = "VirtualService default/hello http[0] (mesh.yaml:23)";
    assert_eq!(unnoticed(strong), [format!("{first}: the rule comes after http[1]")]);
}

#[test]
fn a_choice_depends_on_the_seed_alone() {
    let text = "tests: [{request: http://hello.test/a -H end-user:jason, expect: hello.test/v2}]";
    let file = TestFile::read(&"t.yaml".into(), text).unwrap();
    let some = |seed| {
        let found = run(&inputs(), &[&file], Options { seed, most: 4 });
        assert_eq!(found.tried.len(), 4);
        assert!(found.possible > 4);
        found.tried.into_iter().map(|m| m.change).collect::<Vec<_>>()
    };
    assert_eq!(some(1), some(1));
    assert_ne!(some(1), some(2));
}
