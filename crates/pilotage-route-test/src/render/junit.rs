//! JUnit's XML, as continuous integration servers read it.

use std::fmt::Write as _;

use super::{context, problems};
use crate::report::{Report, Suite, TestResult, Verdict};

/// The report as XML.
#[must_use]
pub fn junit(report: &Report) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let (tests, failures, errors) = totals(report.tests());
    let _infallible = writeln!(
        out,
        "<testsuites name=\"pilotage test\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">"
    );
    for suite in &report.suites {
        suite_element(&mut out, suite);
    }
    out.push_str("</testsuites>\n");
    out
}

fn totals<'t>(tests: impl Iterator<Item = &'t TestResult>) -> (usize, usize, usize) {
    tests.fold((0, 0, 0), |(tests, failures, errors), test| match test.verdict {
        Verdict::Passed => (tests + 1, failures, errors),
        Verdict::Failed(_) => (tests + 1, failures + 1, errors),
        Verdict::Broken(_) => (tests + 1, failures, errors + 1),
    })
}

fn suite_element(out: &mut String, suite: &Suite) {
    let (tests, failures, errors) = totals(suite.tests.iter());
    let file = escaped(&suite.file);
    let _infallible = writeln!(
        out,
        "  <testsuite name=\"{file}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">"
    );
    for test in &suite.tests {
        let _infallible = write!(
            out,
            "    <testcase classname=\"{file}\" name=\"{}\" file=\"{}\" line=\"{}\"",
            escaped(&test.name),
            escaped(&test.place.file),
            test.place.line
        );
        let element = match test.verdict {
            Verdict::Passed => {
                out.push_str("/>\n");
                continue;
            }
            Verdict::Failed(_) => "failure",
            Verdict::Broken(_) => "error",
        };
        let problems = problems(test);
        let first = problems.first().map_or("", String::as_str);
        let _infallible = writeln!(
            out,
            ">\n      <{element} message=\"{}\">{}</{element}>\n    </testcase>",
            escaped(first),
            escaped(&format!("{}\n{}", problems.join("\n"), context(test)))
        );
    }
    out.push_str("  </testsuite>\n");
}

/// `text` inside of XML. Characters that XML cannot hold at all become `?`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push('\t'),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('?'),
            c => out.push(c),
        }
    }
    out
}
