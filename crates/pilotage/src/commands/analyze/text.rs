//! Problems for people.

use pilotage_config::{Diagnostic, Severity};

use crate::inputs::Configuration;
use crate::output;

/// Each problem with the lines it is about, in the order of files and lines, and a count.
pub(super) fn report(problems: &mut [Diagnostic], configuration: &Configuration) -> String {
    problems.sort_by_cached_key(|problem| {
        let place = problem.primary.as_ref();
        (place.map(|label| label.source.clone()), place.map(|label| label.span), problem.code)
    });
    let mut text = String::new();
    for problem in &*problems {
        text.push_str(&output::diagnostic(problem, &configuration.sources));
        text.push_str("\n\n");
    }
    if let Some(problem) = problems.iter().max_by_key(|problem| problem.severity) {
        let code = problem.code;
        text.push_str(&format!("More about a code: pilotage explain-code {code}\n"));
    }
    if let Some(summary) = configuration.passed_over.summary() {
        text.push_str(&summary);
        text.push('\n');
    }
    let count = |severity| problems.iter().filter(|p| p.severity == severity).count();
    let objects = configuration.objects.len() + configuration.broken.len();
    text.push_str(&format!(
        "{}, {}: {}, {}",
        counted(configuration.sources.len(), "file"),
        counted(objects, "object"),
        counted(count(Severity::Error), "error"),
        counted(count(Severity::Warning), "warning"),
    ));
    let notes = count(Severity::Info);
    if notes > 0 {
        text.push_str(&format!(", {notes} for information"));
    }
    text.push('\n');
    text
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
