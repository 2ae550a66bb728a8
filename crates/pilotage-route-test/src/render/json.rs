//! JSON for programs; `docs/route-tests.md` says what each field means.

use serde_json::{Map, Value, json};

use super::JSON_VERSION;
use crate::coverage::Coverage;
use crate::mutate::Mutations;
use crate::report::{Mismatch, Report, Rule, TestResult, Verdict};

/// The report as JSON.
#[must_use]
pub fn json(report: &Report) -> Value {
    let tests: Vec<Value> = report.tests().map(test).collect();
    let count = |wanted: &str| tests.iter().filter(|test| test["verdict"] == wanted).count();
    let mut told = json!({
        "version": JSON_VERSION,
        "summary": {
            "tests": tests.len(),
            "passed": count("passed"),
            "failed": count("failed"),
            "broken": count("broken"),
        },
        "coverage": coverage(&report.coverage),
        "tests": tests,
    });
    if let (Some(found), Some(fields)) = (&report.mutations, told.as_object_mut()) {
        fields.insert("mutations".to_owned(), mutations(found));
    }
    told
}

fn mutations(found: &Mutations) -> Value {
    let unnoticed = found.unnoticed().map(|mutation| {
        let mut fields = rule(&mutation.rule);
        fields.insert("change".to_owned(), json!(mutation.change));
        Value::Object(fields)
    });
    let unnoticed: Vec<Value> = unnoticed.collect();
    json!({
        "possible": found.possible,
        "tried": found.tried.len(),
        "noticed": found.tried.len() - unnoticed.len(),
        "unnoticed": unnoticed,
    })
}

fn test(test: &TestResult) -> Value {
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| {
        if !value.is_null() {
            fields.insert(name.to_owned(), value);
        }
    };
    set("name", json!(test.name));
    set("file", json!(*test.place.file));
    set("line", json!(test.place.line));
    set("asked", json!(test.asked));
    set("from", json!(test.from));
    set("takenBy", json!(test.taken_by.as_ref().map(rule)));
    match &test.verdict {
        Verdict::Passed => set("verdict", json!("passed")),
        Verdict::Failed(mismatches) => {
            set("verdict", json!("failed"));
            set("mismatches", mismatches.iter().map(mismatch).collect());
        }
        Verdict::Broken(problem) => {
            set("verdict", json!("broken"));
            set("problem", json!(problem));
        }
    }
    Value::Object(fields)
}

fn mismatch(mismatch: &Mismatch) -> Value {
    json!({"what": mismatch.what, "expected": mismatch.expected, "got": mismatch.got})
}

fn rule(rule: &Rule) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("rule".to_owned(), json!(rule.name));
    if let Some(place) = &rule.place {
        fields.insert("file".to_owned(), json!(*place.file));
        fields.insert("line".to_owned(), json!(place.line));
    }
    fields
}

fn coverage(coverage: &Coverage) -> Value {
    let rules = coverage.rules.iter().map(|covered| {
        let mut fields = rule(&covered.rule);
        fields.insert("tests".to_owned(), json!(covered.tests));
        fields.insert("share".to_owned(), json!(covered.share));
        Value::Object(fields)
    });
    json!({"percent": coverage.percent(), "rules": rules.collect::<Vec<_>>()})
}
