//! The command line as typed ("low" arguments). Each command checks its own into what it works with.

use clap::{Parser, Subcommand};

use crate::commands::analyze::AnalyzeArgs;
use crate::commands::proxy_config::ProxyConfigArgs;

/// Istio's traffic management in one binary: the same YAML, without the sidecar's cost.
#[derive(Debug, Parser)]
#[command(name = "pilotage", version, max_term_width = 100, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look for mistakes in files.
    Analyze(AnalyzeArgs),
    /// Show what a proxy is given, compiled from files.
    #[command(visible_alias = "pc")]
    ProxyConfig(ProxyConfigArgs),
}
