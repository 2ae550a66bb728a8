//! Reports of the control loop as text.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use pilotage_config::Diagnostic;
use pilotage_control::report::{Problems, Published, Report};

use crate::output::diagnostic;

/// How many problems are shown in full; the rest is counted.
const SHOWN: usize = 20;

/// `report` for people, with colours: what is wrong, and what happened, in lines. `now` is what to call this moment,
/// for instance `12:04:31`.
pub(crate) fn text(report: &Report, now: &str) -> (String, String) {
    match report {
        Report::Published(published) => {
            let mut wrong = problems(&published.problems);
            for refusal in &published.refusals {
                let (word, outcome) = if refusal.partial {
                    ("warning", "the rest of it is in force")
                } else {
                    ("error", "its last good version keeps serving")
                };
                wrong.push_str(&format!("{word}: {refusal}; {outcome}\n"));
                if let Some(note) = &refusal.note {
                    wrong.push_str(&format!("  = {note}\n"));
                }
            }
            (wrong, format!("{}\n", generation(published, now)))
        }
        Report::Unchanged { units, problems: found } => {
            let units: Vec<&str> = units.iter().map(|unit| &**unit).collect();
            let line = format!("{now}  {}: nothing changes for traffic\n", shortened(&units));
            let silent = units.is_empty() || !found.is_empty();
            (problems(found), if silent { String::new() } else { line })
        }
        Report::Trouble { text, .. } => (format!("warning: {text}\n"), String::new()),
    }
}

/// The line of a generation: number, what changed, how long it took.
pub(crate) fn generation(published: &Published, now: &str) -> String {
    let Published { number, summary, objects, units, took, .. } = published;
    let took = duration(*took);
    if *number == 1 {
        return format!(
            "{now}  generation 1: {} from {}   {took}",
            count(*objects, "object"),
            count(*units, "file")
        );
    }
    let what = if summary.is_empty() {
        "settings of the mesh changed".to_owned()
    } else {
        summary.to_string()
    };
    format!("{now}  generation {number}: {what}   {took}")
}

/// Problems with the lines they are about.
pub(crate) fn problems(problems: &Problems) -> String {
    let mut text = String::new();
    for problem in problems.diagnostics.iter().take(SHOWN) {
        text.push_str(&diagnostic(problem, &sources(problem)));
        text.push_str("\n\n");
    }
    let more = problems.diagnostics.len().saturating_sub(SHOWN);
    if more > 0 {
        text.push_str(&format!("… and {more} more; see all with `pilotage analyze`\n"));
    }
    for duplicate in &problems.duplicates {
        let (object, used, unused) = (&duplicate.object, &duplicate.used, &duplicate.unused);
        text.push_str(&format!(
            "warning: {object} is defined twice: {used} counts, {unused} does not\n"
        ));
    }
    for object in &problems.kept {
        text.push_str(&format!("  = {object}: the last good version keeps serving\n"));
    }
    text
}

/// The texts that a problem points at. One that cannot be read any more is left out.
fn sources(problem: &Diagnostic) -> BTreeMap<String, String> {
    let labels = problem.primary.iter().chain(&problem.secondary);
    labels
        .filter_map(|label| {
            Some((label.source.to_string(), fs::read_to_string(&*label.source).ok()?))
        })
        .collect()
}

fn shortened(names: &[&str]) -> String {
    match names {
        [one] => (*one).to_owned(),
        [one, two] => format!("{one}, {two}"),
        _ => count(names.len(), "file"),
    }
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

fn duration(duration: Duration) -> String {
    let millis = duration.as_secs_f64() * 1e3;
    if millis < 1000.0 { format!("{millis:.0} ms") } else { format!("{:.1} s", millis / 1e3) }
}
