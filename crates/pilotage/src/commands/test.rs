//! `pilotage test`: what should become of requests, checked.

mod configured;
mod envoy;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pilotage_config::Diagnostic;
use pilotage_route_test::{Mutations, Report, render};

use super::CommandError;
use crate::exit::Status;
use crate::inputs::InputArgs;
use crate::output::{self, Format as ValueFormat};

/// Arguments of `test`. Those that Envoy's router_check_tool has are called as there.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Files with tests, YAML or JSON
    #[arg(value_name = "FILE", required = true)]
    tests: Vec<PathBuf>,

    #[command(flatten)]
    inputs: InputArgs,

    /// Run test files of Envoy's router_check_tool on this Envoy route configuration
    #[arg(long, value_name = "ROUTES", conflicts_with_all = ["files", "mesh_config_file"])]
    envoy_routes: Option<PathBuf>,

    /// Fail when tests cover less of the rules
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    fail_under: Option<f64>,

    /// Show the tests that passed, too
    #[arg(short, long)]
    details: bool,

    /// Show failing tests only, whatever --details says
    #[arg(long)]
    only_show_failures: bool,

    /// List all rules that no test reached, however many
    #[arg(long)]
    detailed_coverage: bool,

    /// With --envoy-routes: a route is covered as far as tests look at cluster, virtual cluster, virtual host, path and
    /// host, or at URL and status
    #[arg(long)]
    covall: bool,

    /// Taken for Envoy's sake: deprecated fields are no reason to fail
    #[arg(long, hide = true)]
    disable_deprecation_check: bool,

    /// Change the configuration in small ways, and report the changes that no test notices
    #[arg(long, conflicts_with = "envoy_routes")]
    mutate: bool,

    /// With --mutate: try no more changes than this
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    mutants: usize,

    /// With --mutate: which changes are tried when there are more
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,

    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    output: Form,
}

/// Forms of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Text,
    /// JUnit's XML
    Junit,
    /// TAP 14
    Tap,
    /// JSON for programs
    Json,
}

fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').parse() {
        Ok(value) if (0.0..=100.0).contains(&value) => Ok(value),
        _ => Err("a number from 0 to 100 is expected".to_owned()),
    }
}

/// What stops a run before the first test: problems in files, with the texts that they are in.
#[derive(Debug, Default)]
struct Refusal {
    problems: Vec<Diagnostic>,
    sources: BTreeMap<String, String>,
}

/// Reads, runs and reports.
///
/// # Errors
/// When a file cannot be read, or the answer cannot be written.
pub(crate) fn run(args: &TestArgs) -> Result<Status, CommandError> {
    let done = match &args.envoy_routes {
        Some(routes) => envoy::run(args, routes)?,
        None => configured::run(args)?,
    };
    match done {
        Ok(report) => answer(args, &report),
        Err(refusal) => Ok(refuse(&refusal)),
    }
}

fn answer(args: &TestArgs, report: &Report) -> Result<Status, CommandError> {
    match args.output {
        Form::Text => {
            let shown = render::Shown {
                passed: args.details && !args.only_show_failures,
                all_dead_rules: args.detailed_coverage,
            };
            output::print_text(&render::text(report, shown))?;
        }
        Form::Junit => output::print_text(&render::junit(&with_mutations(report)))?,
        Form::Tap => output::print_text(&render::tap(&with_mutations(report)))?,
        Form::Json => output::print_value(&render::json(report), ValueFormat::Json)?,
    }
    let percent = report.coverage.percent();
    let too_low = args.fail_under.filter(|wanted| percent < *wanted);
    if let Some(wanted) = too_low {
        let covered = render::percent(percent);
        anstream::eprintln!("error: coverage is {covered} %, and {wanted} % is demanded");
    }
    let unnoticed = report.mutations.as_ref().is_some_and(|found| found.unnoticed().count() > 0);
    let failed = report.failures() > 0 || too_low.is_some() || unnoticed;
    Ok(if failed { Status::IssuesFound } else { Status::Ok })
}

/// The report with a test for each change that was tried.
fn with_mutations(report: &Report) -> Report {
    let mut report = report.clone();
    report.suites.extend(report.mutations.as_ref().map(Mutations::suite));
    report
}

/// Prints why no test was run.
fn refuse(refusal: &Refusal) -> Status {
    for problem in &refusal.problems {
        anstream::eprintln!("{}\n", output::diagnostic(problem, &refusal.sources));
    }
    let count = refusal.problems.iter().filter(|problem| problem.is_error()).count();
    let plural = if count == 1 { "" } else { "s" };
    anstream::eprintln!("error: no test was run: {count} problem{plural}");
    Status::BadData
}
