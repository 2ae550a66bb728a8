//! `pilotage analyze`: problems in files, as istioctl reports them.

mod analyzers;
mod github;
mod istioctl;
mod sarif;
mod selection;
mod text;
mod unreached_rules;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pilotage_config::{Diagnostic, Severity, Timestamp};

use self::analyzers::Chosen;
pub(crate) use self::istioctl::documentation;
use self::selection::{Selection, Suppression};
use super::CommandError;
use crate::exit::Status;
use crate::inputs::InputArgs;
use crate::output::{self, OutputError};

/// Arguments of `analyze`. Names and short forms are istioctl's.
#[derive(Debug, Args)]
pub(crate) struct AnalyzeArgs {
    /// Files and folders, as with -f; `-` reads standard input
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    inputs: InputArgs,

    /// Only problems of objects in this namespace, which is also that of objects that name none
    #[arg(short, long)]
    namespace: Option<String>,

    /// Problems of objects in all namespaces, which is the default
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,

    /// Accepted because istioctl has it: folders are always read with everything below them
    #[arg(short = 'R', long)]
    recursive: bool,

    /// Form of the answer
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Text, ignore_case = true)]
    output: Format,

    /// Problems below this level do not make the exit code 79
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = Level::Error, ignore_case = true)]
    failure_threshold: Level,

    /// Problems below this level are not shown; the exit code counts them all the same
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = Level::Info, ignore_case = true)]
    output_threshold: Level,

    /// Do not report a code for an object, for instance 'IST0102=Namespace shop' or 'IST0101=VirtualService *.shop';
    /// `*` stands for any text. Repeatable. The annotation galley.istio.io/analyze-suppress does the same
    #[arg(short = 'S', long, value_name = "CODE=OBJECT")]
    suppress: Vec<Suppression>,

    /// List the analyzers and end
    #[arg(short = 'L', long)]
    list_analyzers: bool,

    /// Run this analyzer only. Repeatable
    #[arg(long = "analyzer", value_name = "NAME")]
    analyzers: Vec<String>,

    /// Do not report documents that are not Kubernetes objects, such as templates
    #[arg(long)]
    ignore_unknown: bool,

    /// Colours, or none with --color=false; without the flag, on a terminal unless NO_COLOR is set
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    color: Option<bool>,

    /// Accepted because istioctl has it; only files are looked at, so it can be nothing but false
    #[arg(short = 'k', long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    use_kube: bool,

    /// Say on standard error which analyzers ran
    #[arg(short, long)]
    verbose: bool,
}

/// In which form to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: each problem with the lines it is about
    #[value(alias = "short")]
    Text,
    /// A line each, as `istioctl analyze` prints
    Log,
    /// JSON, as `istioctl analyze -o json` prints
    Json,
    /// The same as YAML
    Yaml,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of a workflow on GitHub
    Github,
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
/// When nothing is named, something named is not there, or the answer cannot be written.
pub(crate) fn run(args: &AnalyzeArgs, now: Timestamp) -> Result<Status, CommandError> {
    if let Some(color) = args.color {
        let choice =
            if color { anstream::ColorChoice::Always } else { anstream::ColorChoice::Never };
        choice.write_global();
    }
    if args.list_analyzers {
        output::print_text(&analyzers::list())?;
        return Ok(Status::Ok);
    }
    if args.use_kube {
        return Err(CommandError::Usage(
            "there is no connection to a cluster; name files, and leave out --use-kube".to_owned(),
        ));
    }
    let chosen = Chosen::new(&args.analyzers).map_err(CommandError::Usage)?;
    for unknown in args.suppress.iter().filter(|suppression| !suppression.is_known()) {
        anstream::eprintln!(
            "warning: there is no code {}, so nothing is suppressed",
            unknown.code()
        );
    }
    let configuration = args.inputs.load_each(&args.paths, args.namespace.as_deref())?;
    let mut problems = chosen.run(&configuration, now);
    Selection {
        namespace: args.namespace.as_deref(),
        suppressions: &args.suppress,
        ignore_unknown: args.ignore_unknown,
    }
    .apply(&mut problems);
    if args.verbose {
        anstream::eprintln!("analyzers that ran: {}", chosen.names().join(", "));
    }
    let status = status(&problems, args.failure_threshold.into());
    problems.retain(|problem| problem.severity >= Severity::from(args.output_threshold));
    match args.output {
        Format::Text => output::print_text(&text::report(&mut problems, &configuration))?,
        Format::Log => output::print_text(&istioctl::log(&problems))?,
        Format::Json => print(&istioctl::json(&problems)?)?,
        Format::Yaml => print(&istioctl::yaml(&problems)?)?,
        Format::Sarif => print(&sarif::report(&problems, &configuration.sources)?)?,
        Format::Github => print(&github::report(&problems, &configuration.sources))?,
    }
    Ok(status)
}

/// Prints what programs read: never with colours, and untouched by what looks like them.
fn print(text: &str) -> Result<(), OutputError> {
    use std::io::Write as _;

    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// As istioctl: 79 for problems of objects, else 65 for documents that could not be read at all.
fn status(problems: &[Diagnostic], threshold: Severity) -> Status {
    let (unread, found): (Vec<_>, Vec<_>) =
        problems.iter().partition(|problem| selection::is_unread(problem));
    if found.iter().any(|problem| problem.severity >= threshold) {
        Status::IssuesFound
    } else if unread.is_empty() {
        Status::Ok
    } else {
        Status::BadData
    }
}
