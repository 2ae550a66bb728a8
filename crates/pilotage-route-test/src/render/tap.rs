//! TAP, version 14: <https://testanything.org/tap-version-14-specification.html>.

use std::fmt::Write as _;

use super::{context, problems};
use crate::report::Report;

/// The report as TAP.
#[must_use]
pub fn tap(report: &Report) -> String {
    let mut out = format!("TAP version 14\n1..{}\n", report.tests().count());
    for (index, test) in report.tests().enumerate() {
        let word = if test.passed() { "ok" } else { "not ok" };
        let _infallible = writeln!(out, "{word} {} - {}", index + 1, description(&test.name));
        if test.passed() {
            continue;
        }
        let _infallible =
            writeln!(out, "  ---\n  at: {}\n  message: |", quoted(&test.place.to_string()));
        for line in problems(test).iter().flat_map(|text| text.lines()) {
            let _infallible = writeln!(out, "    {line}");
        }
        for line in context(test).lines() {
            let _infallible = writeln!(out, "    {line}");
        }
        out.push_str("  ...\n");
    }
    out
}

/// A name on one line in which `#` begins no directive.
fn description(name: &str) -> String {
    name.replace(['\n', '\r'], " ").replace('\\', "\\\\").replace('#', "\\#")
}

/// A YAML string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
