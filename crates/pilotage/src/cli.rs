//! The command line as typed ("low" arguments). Each command checks its own into what it works with.

use clap::{Parser, Subcommand};

use crate::commands::analyze::AnalyzeArgs;
use crate::commands::completion::CompletionArgs;
use crate::commands::demo::DemoArgs;
use crate::commands::diff::DiffArgs;
use crate::commands::explain::ExplainArgs;
use crate::commands::explain_code::ExplainCodeArgs;
use crate::commands::man::ManArgs;
use crate::commands::proxy::ProxyArgs;
use crate::commands::proxy_config::ProxyConfigArgs;
use crate::commands::schema::SchemaArgs;
use crate::commands::test::TestArgs;
use crate::commands::up::UpArgs;

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
    /// Start a mesh with sample services and traffic, and watch what your edits do.
    Demo(DemoArgs),
    /// Be the proxy of a workload and every gateway, as files say; edits are obeyed at once.
    Up(UpArgs),
    /// Look for mistakes in files.
    Analyze(AnalyzeArgs),
    /// Say what becomes of a request, and which lines of YAML say so.
    Explain(ExplainArgs),
    /// Check what should become of requests, as files of tests say.
    Test(TestArgs),
    /// Show which requests a change of configuration concerns, and prove that no others do.
    Diff(DiffArgs),
    /// Be a proxy that runs from an Envoy bootstrap file.
    Proxy(ProxyArgs),
    /// Show what a proxy is given, compiled from files.
    #[command(visible_alias = "pc")]
    ProxyConfig(ProxyConfigArgs),
    /// Say what the code of a problem means and what to do.
    ExplainCode(ExplainCodeArgs),
    /// Print the JSON Schema of a kind, for editors.
    Schema(SchemaArgs),
    /// Print the completions of the command line for a shell.
    Completion(CompletionArgs),
    /// Print the manual, or write it as man pages.
    Man(ManArgs),
}
