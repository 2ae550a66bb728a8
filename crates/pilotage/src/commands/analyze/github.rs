//! Problems as workflow commands of GitHub Actions, which show them beside the lines of a change.

use std::collections::BTreeMap;

use pilotage_config::{Diagnostic, Severity};

use super::sarif::Region;

/// A command for each problem.
pub(super) fn report(problems: &[Diagnostic], sources: &BTreeMap<String, String>) -> String {
    problems.iter().map(|problem| command(problem, sources)).collect()
}

fn command(problem: &Diagnostic, sources: &BTreeMap<String, String>) -> String {
    let name = match problem.severity {
        Severity::Info => "notice",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let mut properties = Vec::new();
    if let Some(label) = &problem.primary {
        properties.push(format!("file={}", property(&label.source)));
        if let Some(region) = Region::of(label, sources) {
            properties.push(format!("line={}", region.line));
            properties.push(format!("col={}", region.column));
            properties.push(format!("endColumn={}", region.end_column));
        }
    }
    properties.push(format!("title={}", property(&title(problem))));
    let mut text = problem.message.clone();
    for line in problem.notes.iter().chain(&problem.help) {
        text.push('\n');
        text.push_str(line);
    }
    format!("::{name} {}::{}\n", properties.join(","), data(&text))
}

fn title(problem: &Diagnostic) -> String {
    match &problem.object {
        Some(object) => format!("{} {object}", problem.code),
        None => problem.code.to_string(),
    }
}

/// Text after the second `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property, which also ends at a comma or colon.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use pilotage_config::{Span, codes};

    use super::*;

    #[test]
    fn what_would_end_a_command_is_escaped() {
        let span = Span { start: 3, end: 5, line: 1, column: 4 };
        let problem = Diagnostic::new(codes::IST0106, "50 % of a,b: no")
            .at(&"a,b:c.yaml".into(), span, "")
            .note("two\nlines");
        let sources = BTreeMap::from([("a,b:c.yaml".to_owned(), "ä xy z".to_owned())]);
        assert_eq!(
            report(&[problem], &sources),
            "::error file=a%2Cb%3Ac.yaml,line=1,col=4,endColumn=6,title=IST0106::50 %25 of a,b: no%0Atwo%0Alines\n"
        );
    }
}
