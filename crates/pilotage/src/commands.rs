//! The commands, one module each.

pub(crate) mod analyze;
pub(crate) mod completion;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod explain_code;
pub(crate) mod man;
pub(crate) mod proxy;
pub(crate) mod proxy_config;
pub(crate) mod schema;
pub(crate) mod test;
pub(crate) mod up;

use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use pilotage_config::Timestamp;
use pilotage_proxy::StartError;

use crate::cli::Command;
use crate::embedded::EmbeddedError;
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
    /// Flags that make no sense together, or name what does not exist.
    #[error("{0}")]
    Usage(String),
    /// Who asks.
    #[error(transparent)]
    Who(#[from] WhoError),
    /// A request to explain.
    #[error(transparent)]
    Explain(#[from] explain::ExplainError),
    /// The answer.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Control plane or proxies.
    #[error(transparent)]
    Embedded(EmbeddedError),
    /// The demo's folder.
    #[error("cannot write the demo's files to {}: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Tests without configuration.
    #[error("{} names no configuration: write `config: [PATH]` in it, or name files with -f PATH", .0.display())]
    NothingToTest(PathBuf),
    /// A proxy without configuration.
    #[error("no configuration: name an Envoy bootstrap with -c FILE")]
    NoBootstrap,
    /// The proxy does not start.
    #[error(transparent)]
    Proxy(#[from] StartError),
    /// Listeners of a bootstrap without sockets.
    #[error("{0}")]
    Listen(String),
    /// A file that others wait for.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// One side of a comparison.
    #[error(transparent)]
    Side(#[from] diff::SideError),
    /// Signals, sockets or threads.
    #[error("the operating system refuses: {0}")]
    System(io::Error),
}

impl CommandError {
    fn status(&self) -> Status {
        match self {
            Self::Input(InputError::NothingGiven)
            | Self::Usage(_)
            | Self::Who(_)
            | Self::NoBootstrap
            | Self::NothingToTest(_) => Status::Usage,
            Self::Explain(error) => error.status(),
            Self::Input(_) => Status::BadData,
            // `pilotage … | head` ends early on purpose.
            Self::Output(OutputError::Write(e)) if e.kind() == io::ErrorKind::BrokenPipe => {
                Status::Ok
            }
            Self::Side(_) => Status::BadData,
            Self::Output(_)
            | Self::Embedded(_)
            | Self::Folder { .. }
            | Self::Proxy(_)
            | Self::Listen(_)
            | Self::Write { .. }
            | Self::System(_) => Status::Unknown,
        }
    }
}

/// Runs `command` and reports what stopped it, in one message.
pub(crate) fn run(command: Command) -> Status {
    let done = match command {
        Command::Analyze(args) => analyze::run(&args, now()),
        Command::Completion(args) => completion::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::ExplainCode(args) => explain_code::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Proxy(args) => proxy::run(&args),
        Command::ProxyConfig(args) => proxy_config::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Up(args) => up::run(&args),
    };
    done.unwrap_or_else(|error| {
        let status = error.status();
        if status != Status::Ok {
            anstream::eprintln!("error: {error}");
        }
        status
    })
}

/// The time, which commands that judge by it take as an argument.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    Timestamp { seconds, nanos: since.subsec_nanos() }
}
