//! The pages of `docs/spec/` tell the truth: one test per page.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial, run};
use pilotage_testkit::spec;

fn main() -> ExitCode {
    let pages = spec::pages();
    assert!(!pages.is_empty(), "docs/spec/ has no pages");
    let trials = pages.into_iter().map(|page| Trial::test(page.clone(), move || test(&page)));
    run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn test(page: &str) -> Result<(), Failed> {
    let findings = spec::run(page);
    if findings.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = findings.iter().map(|f| format!("docs/spec/{page}:{f}")).collect();
    Err(lines.join("\n").into())
}
