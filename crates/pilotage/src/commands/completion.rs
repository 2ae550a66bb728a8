//! `pilotage completion`: completions of the command line for shells.

use std::io;

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

use super::CommandError;
use crate::cli::Cli;
use crate::exit::Status;
use crate::output;

/// Arguments of `completion`.
#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// The shell that is to complete commands
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints a script for a shell.
///
/// # Errors
/// When the answer cannot be written.
pub(crate) fn run(args: &CompletionArgs) -> Result<Status, CommandError> {
    let mut script = io::Cursor::new(Vec::new());
    generate(args.shell, &mut Cli::command(), "pilotage", &mut script);
    output::print_text(&String::from_utf8_lossy(script.get_ref()))?;
    Ok(Status::Ok)
}
