//! Reports as texts: for people, for TAP and JUnit readers, and as JSON.

mod json;
mod junit;
mod tap;
mod text;

use std::fmt::Write as _;

pub use self::json::json;
pub use self::junit::junit;
pub use self::tap::tap;
pub use self::text::{Shown, percent, text};
use crate::report::{Mismatch, TestResult, Verdict};

/// Version of the JSON form: raised when something in it changes its meaning or goes.
pub const JSON_VERSION: u32 = 1;

/// What is wrong with a test, a line each; nothing when it passed.
fn problems(test: &TestResult) -> Vec<String> {
    match &test.verdict {
        Verdict::Passed => Vec::new(),
        Verdict::Failed(mismatches) => mismatches.iter().map(mismatch).collect(),
        Verdict::Broken(problem) => vec![problem.clone()],
    }
}

fn mismatch(mismatch: &Mismatch) -> String {
    let Mismatch { what, expected, got } = mismatch;
    format!("{what}: expected {}, got {}", shown(expected), shown(got))
}

/// Nothing is easily overlooked.
fn shown(value: &str) -> &str {
    if value.is_empty() { "nothing" } else { value }
}

/// `count` with its noun.
fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Where a test's request was, for machine-readable forms that have one text for all of it.
fn context(test: &TestResult) -> String {
    let mut text = format!("asked: {}", test.asked);
    if let Some(from) = &test.from {
        let _infallible = write!(text, "\nfrom: {from}");
    }
    if let Some(rule) = &test.taken_by {
        let _infallible = write!(text, "\ntaken by: {rule}");
    }
    text
}

#[cfg(test)]
mod tests;
