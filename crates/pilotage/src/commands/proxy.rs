//! `pilotage proxy`: the data plane by itself, from an Envoy bootstrap file.

mod file;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use clap::{Args, ValueEnum};
use pilotage_config::Diagnostic;
use pilotage_engine::{LiveState, ResourceKind, Tables};
use pilotage_proxy::bootstrap::Bootstrap;
use pilotage_proxy::{BindError, Proxy, ProxyConfig, ProxyHandle};

use self::file::Files;
use super::CommandError;
use crate::embedded::time_of_day;
use crate::exit::Status;
use crate::inputs::{self, SourceText};
use crate::logging;
use crate::output;
use crate::signals::Signals;

/// Arguments of `proxy`. Names and short forms are Envoy's.
#[derive(Debug, Args)]
pub(crate) struct ProxyArgs {
    /// Envoy bootstrap with static resources, YAML or JSON. `-` reads standard input
    #[arg(short = 'c', long, value_name = "FILE")]
    config_path: Option<PathBuf>,

    /// Bootstrap as text, merged over that of the file
    #[arg(long, value_name = "YAML")]
    config_yaml: Option<String>,

    /// Serve, or only say whether the configuration could be served
    #[arg(long, value_enum, default_value_t = Mode::Serve)]
    mode: Mode,

    /// Worker threads; as many as there are cores, when not said
    #[arg(long, value_name = "NUMBER")]
    concurrency: Option<usize>,

    /// What to log of the proxy itself
    #[arg(short, long, value_enum)]
    log_level: Option<LogLevel>,

    /// Write the address of the admin endpoint to this file, once it is known
    #[arg(long, value_name = "FILE")]
    admin_address_path: Option<PathBuf>,

    /// Replaces node.id
    #[arg(long, value_name = "ID")]
    service_node: Option<String>,

    /// Replaces node.cluster
    #[arg(long, value_name = "NAME")]
    service_cluster: Option<String>,

    /// How many seconds connections may go on when the process is told to end
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    drain_time_s: u64,

    /// Taken for Envoy's sake: there is no hot restart, and nothing that processes share
    #[arg(long, hide = true)]
    use_dynamic_base_id: bool,

    /// Taken for Envoy's sake, as above
    #[arg(long, hide = true)]
    disable_hot_restart: bool,
}

/// What to do with the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Obey it
    Serve,
    /// Check it and exit
    Validate,
}

/// Envoy's levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogLevel {
    Trace,
    Debug,
    Info,
    #[value(alias = "warning")]
    Warn,
    Error,
    Critical,
    Off,
}

impl LogLevel {
    fn filter(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error | Self::Critical => "error",
            Self::Off => "off",
        }
    }
}

/// Serves until told to end, or checks.
///
/// # Errors
/// When there is nothing to read, or a port or thread cannot be had. What is wrong inside of the configuration is
/// printed and becomes the status.
pub(crate) fn run(args: &ProxyArgs) -> Result<Status, CommandError> {
    let files = read(args)?;
    let (bootstrap, mut problems) = match files.bootstrap() {
        Ok(read) => read,
        Err(problems) => return refuse(&files, &problems),
    };
    let live = Arc::new(LiveState::new());
    let (tables, refused) = bootstrap.tables(&live);
    problems.extend(refused);
    if !problems.is_empty() {
        let problems: Vec<_> = problems.iter().map(|problem| files.unsupported(problem)).collect();
        return refuse(&files, &problems);
    }
    if args.mode == Mode::Validate {
        output::print_text(&format!("configuration '{}' OK\n", files.name()))?;
        return Ok(Status::Ok);
    }
    serve(args, &files, &bootstrap, tables, live)
}

fn read(args: &ProxyArgs) -> Result<Files, CommandError> {
    let mut texts = Vec::new();
    if let Some(path) = &args.config_path {
        texts.push(inputs::read_one(path)?);
    }
    if let Some(text) = &args.config_yaml {
        texts.push(SourceText { name: "--config-yaml".to_owned(), text: text.clone() });
    }
    if texts.is_empty() {
        return Err(CommandError::NoBootstrap);
    }
    Ok(Files::new(texts))
}

/// Prints why the configuration cannot be used.
fn refuse(files: &Files, problems: &[Diagnostic]) -> Result<Status, CommandError> {
    let sources: BTreeMap<String, String> = files.sources();
    let mut text = String::new();
    for problem in problems {
        // Writing to a string cannot fail.
        writeln!(text, "{}\n", output::diagnostic(problem, &sources)).ok();
    }
    let count = problems.len();
    let s = if count == 1 { "" } else { "s" };
    anstream::eprint!("{text}");
    anstream::eprintln!("error: {} cannot be served: {count} problem{s}", files.name());
    Ok(Status::BadData)
}

fn serve(
    args: &ProxyArgs,
    files: &Files,
    bootstrap: &Bootstrap,
    tables: Arc<Tables>,
    live: Arc<LiveState>,
) -> Result<Status, CommandError> {
    let signals = Signals::new()?;
    let set_filter = logging::start();
    if let Some(level) = args.log_level
        && let Err(reason) = set_filter(level.filter())
    {
        anstream::eprintln!("warning: the log level stays: {reason}");
    }
    let mut config = ProxyConfig {
        drain_deadline: Duration::from_secs(args.drain_time_s),
        set_log_filter: Some(set_filter),
        ..bootstrap.proxy_config()
    };
    let node = &bootstrap.node;
    config.source.workload = args.service_node.clone().unwrap_or_else(|| node.id.clone());
    config.source.cluster = args.service_cluster.clone().unwrap_or_else(|| node.cluster.clone());
    if let Some(workers) = args.concurrency {
        config.workers = workers.max(1);
    }
    let handle = Proxy::start(config, Arc::new(ArcSwap::from(tables)), live)?;
    let unbound = handle.sync_listeners();
    if !unbound.is_empty() {
        return Err(not_bound(files, bootstrap, &unbound));
    }
    if let (Some(path), Some(address)) = (&args.admin_address_path, handle.admin_address()) {
        std::fs::write(path, address.to_string())
            .map_err(|source| CommandError::Write { path: path.clone(), source })?;
    }
    output::print_text(&banner(&handle))?;
    signals.wait_for_end();
    let seconds = args.drain_time_s;
    output::print_text(&format!("{}  ending: connections have {seconds} s\n", time_of_day()))?;
    signals.end_at_once_when_told_again();
    handle.drain();
    Ok(Status::Ok)
}

/// Which listeners of the file have no socket, with their lines.
fn not_bound(files: &Files, bootstrap: &Bootstrap, errors: &[BindError]) -> CommandError {
    let at = |error: &BindError| {
        let mut listeners = bootstrap.resources.listeners.keys();
        let named = listeners.find(|name| bootstrap.listens_at(name, &error.address));
        let place = named.map(|name| bootstrap.place(ResourceKind::Listener, name));
        let place = place.and_then(|place| files.line(&format!("{place}.address")));
        place.map_or_else(|| error.to_string(), |place| format!("{place}: {error}"))
    };
    CommandError::Listen(errors.iter().map(at).collect::<Vec<_>>().join("\nerror: "))
}

/// Where everything is.
fn banner(handle: &ProxyHandle) -> String {
    let mut text = String::new();
    let mut row = |what: &str, address: String, name: &str| {
        writeln!(text, "{}", format!("  {what:<9} {address:<21} {name}").trim_end()).ok();
    };
    for listener in handle.listeners() {
        row("listener", listener.bound.to_string(), &listener.name);
    }
    if let Some(address) = handle.admin_address() {
        row("admin", format!("http://{address}"), "");
    }
    writeln!(text, "{}  serving", time_of_day()).ok();
    text
}
