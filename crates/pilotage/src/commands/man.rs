//! `pilotage man`: the manual, as pages for `man`.

use std::fs;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _};

use super::CommandError;
use crate::cli::Cli;
use crate::exit::Status;
use crate::output::{self, OutputError};

/// Arguments of `man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write a page for each command into this folder; without it, the page of `pilotage` is printed
    #[arg(short, long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Print the page of this command instead
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    command: Option<String>,
}

/// Prints or writes pages.
///
/// # Errors
/// When there is no such command, or something cannot be written.
pub(crate) fn run(args: &ManArgs) -> Result<Status, CommandError> {
    let mut cli = Cli::command();
    cli.build();
    match (&args.dir, &args.command) {
        (Some(dir), _) => {
            let write = |path: PathBuf, page: String| {
                fs::write(&path, page).map_err(|source| CommandError::Write { path, source })
            };
            fs::create_dir_all(dir)
                .map_err(|source| CommandError::Write { path: dir.clone(), source })?;
            write(dir.join("pilotage.1"), page(&cli)?)?;
            let commands = || cli.get_subcommands().filter(|command| command.get_name() != "help");
            for command in commands() {
                let name = format!("pilotage-{}.1", command.get_name());
                write(dir.join(name), page(command)?)?;
            }
            let count = commands().count() + 1;
            output::print_text(&format!("{count} pages are in {}\n", dir.display()))?;
        }
        (None, Some(name)) => {
            let command = cli.find_subcommand(name).ok_or_else(|| {
                CommandError::Usage(format!(
                    "there is no command `{name}`; `pilotage help` lists all"
                ))
            })?;
            output::print_text(&page(command)?)?;
        }
        (None, None) => output::print_text(&page(&cli)?)?,
    }
    Ok(Status::Ok)
}

fn page(command: &clap::Command) -> Result<String, OutputError> {
    let mut bytes = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
