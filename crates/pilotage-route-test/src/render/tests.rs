use super::{Shown, junit, tap, text};
use crate::coverage::{Coverage, CoveredRule};
use crate::report::{Mismatch, Place, Report, Rule, Suite, TestResult, Verdict};

fn report() -> Report {
    let test = |name: &str, line, verdict| TestResult {
        name: name.into(),
        place: Place { file: "t.yaml".into(), line },
        asked: "GET http://a/?x=<1>".into(),
        from: None,
        taken_by: Some(Rule {
            name: "r".into(),
            place: Some(Place { file: "a.yaml".into(), line: 7 }),
        }),
        verdict,
    };
    let mismatch = Mismatch { what: "to".into(), expected: "v1".into(), got: String::new() };
    let tests = vec![
        test("fine", 1, Verdict::Passed),
        test("wrong #1", 4, Verdict::Failed(vec![mismatch])),
        test("odd", 9, Verdict::Broken("no such thing".into())),
    ];
    let rules = vec![
        CoveredRule::reached(Rule { name: "r".into(), place: None }, 3),
        CoveredRule::reached(Rule { name: "s".into(), place: None }, 0),
    ];
    Report {
        suites: vec![Suite { file: "t.yaml".into(), tests }],
        coverage: Coverage { rules },
        mutations: None,
    }
}

fn plain(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split('\x1b').enumerate() {
        out.push_str(if index == 0 { part } else { part.split_once('m').unwrap().1 });
    }
    out
}

#[test]
fn people_read_what_failed_and_what_took_it() {
    let told = plain(&text(&report(), Shown::default()));
    assert_eq!(
        told,
        "FAIL wrong #1   t.yaml:4\n  asked      GET http://a/?x=<1>\n  to         expected v1\n             \
         got      nothing\n  taken by   r   a.yaml:7\n\nCANNOT BE JUDGED odd   t.yaml:9\n  asked      \
         GET http://a/?x=<1>\n  because    no such thing\n  taken by   r   a.yaml:7\n\n3 tests: 1 passed, 1 failed, \
         1 cannot be judged\ncoverage: 1 of 2 rules, 50.0 %\n  no test reaches\n    s\n"
    );
    let all = plain(&text(&report(), Shown { passed: true, ..Shown::default() }));
    assert!(all.starts_with("pass fine   t.yaml:1\n"), "{all}");
}

#[test]
fn tap_escapes_what_would_be_a_directive() {
    let told = tap(&report());
    assert!(
        told.starts_with("TAP version 14\n1..3\nok 1 - fine\nnot ok 2 - wrong \\#1\n"),
        "{told}"
    );
    assert!(told.contains("  message: |\n    to: expected v1, got nothing\n"), "{told}");
}

#[test]
fn junit_tells_failures_from_errors_and_is_xml() {
    let told = junit(&report());
    assert!(told.contains("tests=\"3\" failures=\"1\" errors=\"1\""), "{told}");
    assert!(told.contains("x=&lt;1&gt;") && !told.contains("<1>"), "{told}");
    assert!(told.contains("<error message=\"no such thing\">"), "{told}");
}

#[test]
fn json_has_a_version_and_all_tests() {
    let told = super::json(&report());
    assert_eq!(told["version"], 1);
    assert_eq!(told["summary"]["broken"], 1);
    assert_eq!(told["tests"][1]["mismatches"][0]["what"], "to");
    assert_eq!(told["coverage"]["rules"][1]["tests"], 0);
}
