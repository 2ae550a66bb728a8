//! `pilotage analyze`: problems in files, as istioctl reports them.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pilotage_config::{Diagnostic, Severity};
use serde_json::{Map, Value};

use super::CommandError;
use crate::exit::Status;
use crate::inputs::{Configuration, InputArgs};
use crate::output::{self, Format};

/// Arguments of `analyze`.
#[derive(Debug, Args)]
pub(crate) struct AnalyzeArgs {
    /// Files and folders, as with -f
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    inputs: InputArgs,

    /// Only problems of objects in this namespace
    #[arg(short, long)]
    namespace: Option<String>,

    /// Problems of objects in all namespaces, which is the default
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,

    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t = Format::Short)]
    output: Format,

    /// Problems below this level do not make the exit code 79
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = Level::Error, ignore_case = true)]
    failure_threshold: Level,

    /// Problems below this level are not shown
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = Level::Info, ignore_case = true)]
    output_threshold: Level,
}

/// A severity as a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Level {
    /// Worth knowing
    Info,
    /// Probably a mistake
    Warning,
    /// Certainly one
    Error,
}

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::Info => Self::Info,
            Level::Warning => Self::Warning,
            Level::Error => Self::Error,
        }
    }
}

/// Loads, checks and reports.
///
/// # Errors
/// When files are unusable, or the answer cannot be written.
pub(crate) fn run(args: &AnalyzeArgs) -> Result<Status, CommandError> {
    let configuration = args.inputs.load(&args.paths)?;
    let together = configuration.analyze();
    let all = configuration.diagnostics.iter().chain(&together);
    let problems: Vec<&Diagnostic> = all.filter(|problem| args.is_wanted(problem)).collect();
    match args.output {
        Format::Short => output::print_text(&report(&problems, &configuration))?,
        format => {
            let messages = problems.iter().copied().map(message).collect();
            output::print_value(&Value::Array(messages), format)?;
        }
    }
    let threshold = Severity::from(args.failure_threshold);
    let failed = problems.iter().any(|problem| problem.severity >= threshold);
    Ok(if failed { Status::IssuesFound } else { Status::Ok })
}

impl AnalyzeArgs {
    fn is_wanted(&self, problem: &Diagnostic) -> bool {
        let namespace = match (&self.namespace, &problem.object) {
            (Some(wanted), Some(object)) => object.namespace.as_ref() == wanted.as_str(),
            _ => true,
        };
        namespace && problem.severity >= Severity::from(self.output_threshold)
    }
}

/// A problem in the form of `istioctl analyze -o json`. Problems of a text that is no object yet have its name as
/// their origin.
fn message(problem: &Diagnostic) -> Value {
    let place = problem.primary.as_ref().map(|label| (&label.source, label.span.line));
    let origin = match (&problem.object, place) {
        (Some(object), _) => object.to_string(),
        (None, Some((file, _))) => file.to_string(),
        (None, None) => String::new(),
    };
    let mut fields = Map::new();
    fields.insert("code".into(), problem.code.id().into());
    fields.insert("level".into(), level_name(problem.severity).into());
    fields.insert("origin".into(), origin.into());
    fields.insert("message".into(), problem.message.clone().into());
    if let Some((file, line)) = place {
        fields.insert("reference".into(), format!("{file}:{line}").into());
    }
    Value::Object(fields)
}

fn level_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "Info",
        Severity::Warning => "Warning",
        Severity::Error => "Error",
    }
}

/// What people read: each problem with the lines it is about, and a count.
fn report(problems: &[&Diagnostic], configuration: &Configuration) -> String {
    let mut text = String::new();
    for problem in problems {
        text.push_str(&output::diagnostic(problem, &configuration.sources));
        text.push_str("\n\n");
    }
    if let Some(summary) = configuration.passed_over.summary() {
        text.push_str(&summary);
        text.push('\n');
    }
    let count = |severity| problems.iter().filter(|p| p.severity == severity).count();
    let objects = configuration.objects.len() + configuration.broken.len();
    text.push_str(&format!(
        "{}, {}: {}, {}\n",
        counted(configuration.sources.len(), "file"),
        counted(objects, "object"),
        counted(count(Severity::Error), "error"),
        counted(count(Severity::Warning), "warning"),
    ));
    text
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
