//! `pilotage diff`: which requests a change of configuration concerns.

mod git;
mod json;
mod live;
mod markdown;
mod places;
mod proxy_tables;
mod reservations;
mod sides;
mod text;
mod views;

use std::mem;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use self::reservations::LeftOut;
pub(crate) use self::sides::SideError;
use self::sides::{Mesh, Side};
use self::views::ViewDifference;
use super::CommandError;
use crate::exit::Status;
use crate::inputs::read_one;
use crate::output;
use crate::who::WhoArgs;

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Before: a file or folder, `git:REV:PATH` or `REV:PATH`. With --live, after: the running program is what was
    #[arg(value_name = "OLD")]
    old: String,

    /// After: the same
    #[arg(value_name = "NEW", required_unless_present = "live", conflicts_with = "live")]
    new: Option<String>,

    /// Compare with what a running `pilotage up` has in force: the address of its admin port
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:15000")]
    live: Option<String>,

    /// MeshConfig of both sides, as YAML; without it, the ConfigMap `istio` of each side counts
    #[arg(long = "meshConfigFile", alias = "mesh-config-file", value_name = "FILE")]
    mesh_config_file: Option<PathBuf>,

    #[command(flatten)]
    who: WhoArgs,

    /// Kinds of changes that are told one by one; the others are counted [default: 100, in JSON 10000]
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,

    /// Tell all kinds of changes, however many
    #[arg(long, conflicts_with = "limit")]
    all: bool,

    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    output: Form,
}

/// Forms of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Text,
    /// For programs
    Json,
    /// For a comment on a change
    Markdown,
}

impl DiffArgs {
    /// Kinds of changes that are told.
    fn most(&self) -> usize {
        match (self.all, self.limit, self.output) {
            (true, ..) => usize::MAX,
            (false, Some(limit), _) => limit,
            (false, None, Form::Text | Form::Markdown) => 100,
            (false, None, Form::Json) => 10_000,
        }
    }
}

/// All that was found.
#[derive(Debug)]
struct Answer<'a> {
    old: &'a Side,
    new: &'a Side,
    views: Vec<ViewDifference>,
    /// What could not be used, on either side.
    left_out: Vec<LeftOut>,
    /// Namespaces with changes whose sidecars were not looked at, as there are many.
    unseen: Vec<String>,
    /// Port 80 is taken to be there on both sides, since neither knows a service.
    assumes_port_80: bool,
    /// Kinds of changes that are told.
    most: usize,
}

/// Compares and reports: 0 when no request changes, 1 when some do, 2 when that cannot be said or holds for a part of
/// the files only, and more when a side cannot be had at all.
///
/// # Errors
/// When a side cannot be read, or the answer cannot be written.
pub(crate) fn run(args: &DiffArgs) -> Result<Status, CommandError> {
    match compare(args) {
        // 1 would say that something was found.
        Err(error) if error.status() == Status::Unknown => {
            anstream::eprintln!("error: {error}");
            Ok(Status::Trouble)
        }
        done => done,
    }
}

fn compare(args: &DiffArgs) -> Result<Status, CommandError> {
    let who = args.who.check()?;
    let mesh = Mesh(args.mesh_config_file.as_deref().map(read_one).transpose()?);
    let ([old, new], assumes_port_80) = match (&args.live, &args.new) {
        (Some(address), _) => {
            let old = live::side(address)?;
            let new = Side::load(&args.old, &mesh, Some(&old))?;
            ([old, new], false)
        }
        (None, Some(new)) => Side::load_both([&args.old, new], &mesh)?,
        (None, None) => return Err(SideError::NothingToCompareWith.into()),
    };
    let (anybody, most) = (args.who.is_default(), args.most());
    let (views, unseen) = views::differences(&old, &new, &who, anybody, most);
    let mut left_out = reservations::left_out(&old);
    left_out.extend(reservations::left_out(&new));
    let answer = Answer { old: &old, new: &new, views, left_out, unseen, assumes_port_80, most };
    output::print_problems(&answer.problems());
    match args.output {
        Form::Text => output::print_text(&text::report(&answer))?,
        Form::Markdown => output::print_text(&markdown::report(&answer))?,
        Form::Json => output::print_json(&json::Report::of(&answer))?,
    }
    let status = answer.status();
    // The process ends. To take the objects of a large mesh apart first would be a tenth of its time.
    mem::forget((old, new));
    Ok(status)
}

impl Answer<'_> {
    /// Objects that take no part, on either side; of both sides' only once.
    fn problems(&self) -> Vec<pilotage_config::Diagnostic> {
        let mut problems: Vec<pilotage_config::Diagnostic> = Vec::new();
        for problem in self.old.problems().chain(self.new.problems()) {
            if !problems.contains(problem) {
                problems.push(problem.clone());
            }
        }
        problems
    }

    fn found(&self) -> impl Iterator<Item = &pilotage_symbolic::Difference> {
        self.views.iter().map(|view| &view.difference)
    }

    fn status(&self) -> Status {
        let differs = self.found().any(|found| {
            !found.requests.is_empty()
                || !found.more_requests.is_empty()
                || !found.connections.is_empty()
        });
        let mistaken = self.found().any(|found| !found.mistakes.is_empty());
        // Where something is missing on one side, what is told may well be its consequence.
        let partial = !self.reservations().is_empty();
        match (differs, self.is_proved()) {
            _ if mistaken || partial => Status::Trouble,
            (true, _) => Status::Differs,
            (false, true) => Status::Ok,
            // Nothing was found, but nothing is proved either.
            (false, false) => Status::Trouble,
        }
    }
}
