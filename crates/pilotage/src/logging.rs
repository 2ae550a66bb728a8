//! The process's own log, on standard error: warnings, or what `RUST_LOG` or the admin endpoint asks for.

use std::io;
use std::sync::Arc;

use pilotage_proxy::SetLogFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt, reload};

/// What is logged when nobody says.
const USUAL: &str = "warn";

/// Starts the log. Returns how to change what is logged.
pub(crate) fn start() -> SetLogFilter {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(USUAL));
    let (filter, handle) = reload::Layer::new(filter);
    let lines = fmt::layer().with_writer(io::stderr).with_target(true);
    if let Err(error) = tracing_subscriber::registry().with(filter).with(lines).try_init() {
        anstream::eprintln!("warning: nothing is logged: {error}");
    }
    Arc::new(move |directives| {
        let filter = EnvFilter::try_new(directives).map_err(|error| error.to_string())?;
        handle.reload(filter).map_err(|error| error.to_string())
    })
}
