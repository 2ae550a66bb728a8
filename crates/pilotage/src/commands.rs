//! The commands, one module each.

pub(crate) mod analyze;
pub(crate) mod proxy_config;

use std::io;

use crate::cli::Command;
use crate::exit::Status;
use crate::inputs::InputError;
use crate::output::OutputError;
use crate::who::WhoError;

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The files.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Who asks.
    #[error(transparent)]
    Who(#[from] WhoError),
    /// The answer.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl CommandError {
    fn status(&self) -> Status {
        match self {
            Self::Input(InputError::NothingGiven) | Self::Who(_) => Status::Usage,
            Self::Input(_) => Status::BadData,
            // `pilotage … | head` ends early on purpose.
            Self::Output(OutputError::Write(e)) if e.kind() == io::ErrorKind::BrokenPipe => {
                Status::Ok
            }
            Self::Output(_) => Status::Unknown,
        }
    }
}

/// Runs `command` and reports what stopped it, in one message.
pub(crate) fn run(command: Command) -> Status {
    let done = match command {
        Command::Analyze(args) => analyze::run(&args),
        Command::ProxyConfig(args) => proxy_config::run(&args),
    };
    done.unwrap_or_else(|error| {
        let status = error.status();
        if status != Status::Ok {
            anstream::eprintln!("error: {error}");
        }
        status
    })
}
