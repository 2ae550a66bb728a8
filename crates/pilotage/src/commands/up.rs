//! `pilotage up`: control plane and proxies in one process, from files.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use pilotage_control::files::FileSource;
use pilotage_control::files::tree::FileError;
use pilotage_control::identities::{Identities, ProxyId};
use pilotage_control::report::Report;
use pilotage_control::source::Source;
use pilotage_model::{ProxyClass, ProxyKind};
use pilotage_proxy::{InboundPort, ProxyConfig};

use super::CommandError;
use crate::embedded::access_log;
use crate::embedded::{Addresses, Embedded, EmbeddedError, Proxies};
use crate::embedded::{loopback, report, source_of_workload, time_of_day};
use crate::exit::Status;
use crate::inputs::{InputArgs, InputError};
use crate::logging;
use crate::output;
use crate::signals;
use crate::who::WhoArgs;

/// Arguments of `up`.
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Files and folders, as with -f. They are watched: a save is obeyed within a tenth of a second
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    inputs: InputArgs,

    #[command(flatten)]
    who: WhoArgs,

    #[command(flatten)]
    ports: PortArgs,
}

/// Ports and the like of the proxies in one process.
#[derive(Debug, Args)]
#[command(next_help_heading = "Ports")]
pub(crate) struct PortArgs {
    /// Port for clients in the mesh, who use it as an HTTP proxy or name the service in `Host`. 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 15001)]
    pub(crate) outbound_port: u16,

    /// Take connections that the kernel redirects to this port on their way to the workload, Istio's 15006; on every
    /// address, as they arrive at any. Without it only the ports that a Sidecar object opens by itself take traffic for
    /// the workload
    #[arg(long, value_name = "PORT")]
    pub(crate) inbound_port: Option<u16>,

    /// Port of the admin endpoint
    #[arg(long, value_name = "PORT", default_value_t = 15000)]
    pub(crate) admin_port: u16,

    /// Port with metrics for Prometheus
    #[arg(long, value_name = "PORT", default_value_t = 15090)]
    pub(crate) metrics_port: u16,

    /// Port that tells whether the proxy is ready
    #[arg(long, value_name = "PORT", default_value_t = 15021)]
    pub(crate) ready_port: u16,

    /// Threads of each proxy; as many as there are cores, when not said
    #[arg(long, value_name = "NUMBER")]
    pub(crate) concurrency: Option<usize>,

    /// Log each request to this file, `-` for standard output; without it, what the MeshConfig says
    #[arg(long, value_name = "FILE")]
    pub(crate) access_log: Option<PathBuf>,

    /// How many seconds connections may go on when the process is told to end
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub(crate) drain_seconds: u64,
}

impl PortArgs {
    /// How the sidecar runs.
    pub(crate) fn proxy_config(&self) -> ProxyConfig {
        let mut config = ProxyConfig {
            outbound_address: Some(loopback(self.outbound_port)),
            inbound: self.inbound_port.map_or(InboundPort::Closed, InboundPort::At),
            admin_address: Some(loopback(self.admin_port)),
            metrics_address: Some(loopback(self.metrics_port)),
            ready_address: Some(loopback(self.ready_port)),
            drain_deadline: Duration::from_secs(self.drain_seconds),
            ..ProxyConfig::new()
        };
        if let Some(workers) = self.concurrency {
            config.workers = workers.max(1);
        }
        config.access_log.target = self.access_log.as_deref().map(access_log::target);
        config
    }
}

/// Serves until told to end.
///
/// # Errors
/// When flags or paths make no sense, or a port cannot be had.
pub(crate) fn run(args: &UpArgs) -> Result<Status, CommandError> {
    let who = args.who.check()?;
    let paths: Vec<PathBuf> = args.inputs.files.iter().chain(&args.paths).cloned().collect();
    check_paths(&paths, args.inputs.mesh_config_file.as_ref())?;
    let source: Box<dyn Source> =
        Box::new(FileSource::new(paths).with_mesh_config(args.inputs.mesh_config_file.clone()));
    let identities = Identities {
        sidecar: (who.kind == ProxyKind::Sidecar).then(|| who.clone()),
        gateways: true,
    };
    let signals = signals::Signals::new()?;
    let mut config = args.ports.proxy_config();
    config.set_log_filter = Some(logging::start());
    config.source = source_of_workload(&who.labels, &who.namespace);
    let tell = move |report: &Report, proxies: &Proxies| tell(report, &who, proxies);
    let started = Embedded::start(vec![source], identities, config, &signals, tell)?;
    let Some(embedded) = started else { return Ok(Status::Ok) };
    signals.wait_for_end();
    output::print_text(&format!(
        "{}  ending: connections have {} s\n",
        time_of_day(),
        args.ports.drain_seconds
    ))?;
    signals.end_at_once_when_told_again();
    embedded.stop();
    Ok(Status::Ok)
}

/// A path that is not there now is a mistake; one that goes away later is waited for.
fn check_paths(paths: &[PathBuf], mesh_config: Option<&PathBuf>) -> Result<(), InputError> {
    if paths.is_empty() {
        return Err(InputError::NothingGiven);
    }
    for path in paths.iter().chain(mesh_config) {
        let read = if path.is_dir() {
            path.read_dir().map(drop)
        } else {
            std::fs::File::open(path).map(drop)
        };
        read.map_err(|error| FileError::Io { path: path.clone(), error })?;
    }
    Ok(())
}

/// Prints a report: problems where errors go, the rest where output goes; with the first generation who this is
/// and where.
fn tell(told: &Report, who: &ProxyClass, proxies: &Proxies) {
    let mut problems = String::new();
    for replaced in proxies.take_replaced() {
        // Writing to a string cannot fail.
        writeln!(
            problems,
            "warning: a listener's port {} cannot be had ({}): it is on port {} instead",
            replaced.asked, replaced.reason, replaced.used
        )
        .ok();
    }
    let (trouble, mut line) = report::text(told, &time_of_day());
    problems.push_str(&trouble);
    if let Report::Published(published) = told {
        if published.objects == 0 {
            problems.push_str("warning: there are no objects; waiting for files to appear\n");
        }
        if published.number == 1 {
            line.insert_str(0, &banner(who, &proxies.addresses()));
        }
    }
    anstream::eprint!("{problems}");
    // Nobody reads any more when this fails; serving goes on.
    output::print_text(&line).ok();
}

/// Who this is, and where.
fn banner(who: &ProxyClass, addresses: &Addresses) -> String {
    let mut text = String::new();
    let mut row = |what: &str, scheme: &str, address: String, note: &str| {
        let url = format!("{scheme}://{address}");
        writeln!(text, "{}", format!("  {what:<9} {url:<28} {note}").trim_end()).ok();
    };
    if let Some(address) = addresses.outbound {
        let labels: Vec<String> =
            who.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let note = format!("as a workload of namespace {} {}", who.namespace, labels.join(","));
        row("mesh", "http", address.to_string(), note.trim_end());
    }
    for (id, listener) in &addresses.listeners {
        let inbound: Arc<str> = "what is redirected to the workload".into();
        let (kind, note) = match id {
            ProxyId::Sidecar if listener.takes_redirected => ("inbound", &inbound),
            ProxyId::Sidecar => ("listener", &listener.name),
            ProxyId::Gateway(selector) => ("gateway", selector),
        };
        row(kind, listener.scheme, listener.bound.to_string(), note);
    }
    for (what, address) in
        [("admin", addresses.admin), ("metrics", addresses.metrics), ("ready", addresses.ready)]
    {
        let note = match what {
            "metrics" => "/stats/prometheus",
            "ready" => "/healthz/ready",
            _ => "",
        };
        if let Some(address) = address {
            row(what, "http", address.to_string(), note);
        }
    }
    text
}

impl From<EmbeddedError> for CommandError {
    fn from(error: EmbeddedError) -> Self {
        Self::Embedded(error)
    }
}

impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}
