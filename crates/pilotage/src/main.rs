//! Pilotage: Istio's traffic management in one binary.
//!
//! This crate is wiring: it reads arguments and files, calls the libraries, and prints. What a command does stands in
//! its module under `commands/`; what commands share stands beside this file.

mod cli;
mod commands;
mod demo;
mod embedded;
mod envoy_text;
mod exit;
mod inputs;
mod logging;
mod output;
mod signals;
mod who;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::Cli;
use crate::exit::Status;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => commands::run(cli.command).into(),
        Err(error) => usage(&error).into(),
    }
}

/// Prints what clap has to say: help and versions are answers, everything else is a mistake in the usage.
fn usage(error: &clap::Error) -> Status {
    // Nothing is left to report to when the terminal is gone.
    let printed = error.print();
    if printed.is_ok() && !error.use_stderr() { Status::Ok } else { Status::Usage }
}
