//! For people: what failed, with the rule that is responsible, then how much was looked at.

use super::{counted, shown};
use crate::coverage::Coverage;
use crate::mutate::{Mutation, Mutations};
use crate::report::{Report, Rule, TestResult, Verdict};

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// The columns that names of facts take.
const FACT: usize = 10;
/// The columns that a change takes at most, before its place.
const WIDE: usize = 60;
/// So many rules without a test are listed unless all are asked for.
const FEW: usize = 10;

/// How much is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown {
    /// The names of tests that passed as well.
    pub passed: bool,
    /// All rules that no test reached, however many.
    pub all_dead_rules: bool,
}

/// The report, with colours as escape sequences.
#[must_use]
pub fn text(report: &Report, options: Shown) -> String {
    let mut out = String::new();
    for suite in &report.suites {
        for test in &suite.tests {
            if !test.passed() {
                failure(&mut out, test);
            } else if options.passed {
                out.push_str(&format!(
                    "{GREEN}pass{PLAIN} {}   {DIM}{}{PLAIN}\n",
                    test.name, test.place
                ));
            }
        }
    }
    if !out.is_empty() && !out.ends_with("\n\n") {
        out.push('\n');
    }
    totals(&mut out, report);
    coverage(&mut out, &report.coverage, options);
    if let Some(found) = &report.mutations {
        mutations(&mut out, found);
    }
    out
}

fn mutations(out: &mut String, found: &Mutations) {
    let unnoticed: Vec<&Mutation> = found.unnoticed().collect();
    let (tried, missed) = (found.tried.len(), unnoticed.len());
    let colour = if missed == 0 { GREEN } else { RED };
    let of = if found.possible > tried {
        format!(" of {} possible", found.possible)
    } else {
        String::new()
    };
    out.push_str(&format!(
        "mutations: {} tried{of}, {colour}{} noticed{PLAIN}\n",
        counted(tried, "change"),
        tried - missed
    ));
    if missed > 0 {
        out.push_str("  no test notices\n");
    }
    let width = unnoticed.iter().map(|mutation| mutation.change.chars().count()).max();
    let mut of = None;
    for Mutation { rule, change, .. } in unnoticed {
        if of != Some(&rule.name) {
            out.push_str(&format!("    {BOLD}{}{PLAIN}\n", rule.name));
            of = Some(&rule.name);
        }
        let place = rule.place.as_ref().map(ToString::to_string).unwrap_or_default();
        let width = width.unwrap_or_default().min(WIDE);
        out.push_str(&format!("      {change:<width$}   {DIM}{place}{PLAIN}\n"));
    }
}

fn failure(out: &mut String, test: &TestResult) {
    let word = match test.verdict {
        Verdict::Broken(_) => "CANNOT BE JUDGED",
        Verdict::Failed(_) | Verdict::Passed => "FAIL",
    };
    out.push_str(&format!(
        "{RED}{word}{PLAIN} {BOLD}{}{PLAIN}   {DIM}{}{PLAIN}\n",
        test.name, test.place
    ));
    fact(out, "asked", &test.asked);
    if let Some(from) = &test.from {
        fact(out, "from", from);
    }
    match &test.verdict {
        Verdict::Passed => {}
        Verdict::Broken(problem) => fact(out, "because", problem),
        Verdict::Failed(mismatches) => {
            for mismatch in mismatches {
                if mismatch.what.chars().count() > FACT {
                    out.push_str(&format!("  {}\n", mismatch.what));
                    fact(out, "", &format!("expected {}", shown(&mismatch.expected)));
                } else {
                    let expected = format!("expected {}", shown(&mismatch.expected));
                    fact(out, &mismatch.what, &expected);
                }
                fact(out, "", &format!("{RED}got{PLAIN}      {}", shown(&mismatch.got)));
            }
        }
    }
    match &test.taken_by {
        Some(rule) => fact(out, "taken by", &rule_text(rule)),
        None if matches!(test.verdict, Verdict::Failed(_)) => fact(out, "taken by", "no rule"),
        None => {}
    }
    out.push('\n');
}

fn fact(out: &mut String, name: &str, value: &str) {
    for (index, line) in value.lines().enumerate() {
        let name = if index == 0 { name } else { "" };
        out.push_str(&format!("  {DIM}{name:<FACT$}{PLAIN} {line}\n"));
    }
}

fn rule_text(rule: &Rule) -> String {
    match &rule.place {
        Some(place) => format!("{}   {DIM}{place}{PLAIN}", rule.name),
        None => rule.name.clone(),
    }
}

fn totals(out: &mut String, report: &Report) {
    let all = report.tests().count();
    let broken = report.tests().filter(|test| matches!(test.verdict, Verdict::Broken(_))).count();
    let failed = report.failures() - broken;
    let passed = all - failed - broken;
    let colour = if failed + broken == 0 { GREEN } else { RED };
    out.push_str(&format!("{}: {colour}{passed} passed", counted(all, "test")));
    if failed > 0 {
        out.push_str(&format!(", {failed} failed"));
    }
    if broken > 0 {
        out.push_str(&format!(", {broken} cannot be judged"));
    }
    out.push_str(&format!("{PLAIN}\n"));
}

fn coverage(out: &mut String, coverage: &Coverage, options: Shown) {
    if coverage.rules.is_empty() {
        return;
    }
    out.push_str(&format!(
        "coverage: {} of {}, {} %\n",
        coverage.reached(),
        counted(coverage.rules.len(), "rule"),
        percent(coverage.percent()),
    ));
    let all = options.all_dead_rules;
    rules(out, "no test reaches", &coverage.dead().collect::<Vec<_>>(), all);
    let in_vain: Vec<&Rule> = coverage.visited_in_vain().collect();
    rules(out, "tests reach, but nothing that counts is as they expect", &in_vain, all);
}

fn rules(out: &mut String, title: &str, rules: &[&Rule], all: bool) {
    if rules.is_empty() {
        return;
    }
    out.push_str(&format!("  {title}\n"));
    let few = if all || rules.len() <= FEW { rules.len() } else { FEW };
    for rule in rules.iter().take(few) {
        out.push_str(&format!("    {}\n", rule_text(rule)));
    }
    if few < rules.len() {
        let more = rules.len() - few;
        out.push_str(&format!("    and {more} more, all with --detailed-coverage\n"));
    }
}

/// A percentage with one digit after the point, cut rather than rounded: 99.96 % is not all.
#[must_use]
pub fn percent(value: f64) -> String {
    format!("{:.1}", (value * 10.0 + 1e-9).floor() / 10.0)
}
