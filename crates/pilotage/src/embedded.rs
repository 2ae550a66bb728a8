//! Control plane and proxies in one process: what `up` and `demo` have in common.

mod absent_secret;
pub(crate) mod access_log;
mod clock;
mod config_dump;
mod explain;
mod gateway_ports;
mod metrics_source;
mod publisher;
pub(crate) mod report;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use pilotage_control::identities::Identities;
use pilotage_control::report::Report;
use pilotage_control::source::{Source, SourceError};
use pilotage_control::{ControlLoop, StopLoop};
use pilotage_proxy::{ProxyConfig, StartError};

use crate::signals::Signals;

pub(crate) use self::clock::time_of_day;
pub(crate) use self::metrics_source::source_of_workload;
use self::publisher::EmbeddedPublisher;
pub(crate) use self::publisher::{Addresses, Proxies};

/// How often to see whether the process is to end, while much is loaded.
const LOOK_FOR_SIGNALS: Duration = Duration::from_millis(50);

/// Why the process cannot serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EmbeddedError {
    /// A source does not start.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A proxy does not start.
    #[error(
        "{0}; choose another port with --outbound-port, --admin-port, --metrics-port or --ready-port, or 0 for any"
    )]
    Proxy(#[from] StartError),
    /// No thread to be had, or the loop ended.
    #[error("cannot start the control loop: {0}")]
    Thread(#[from] std::io::Error),
}

/// A running mesh.
#[derive(Debug)]
pub(crate) struct Embedded {
    /// Its proxies.
    pub(crate) proxies: Proxies,
    stop: StopLoop,
    thread: JoinHandle<()>,
}

/// An address on loopback with this port.
pub(crate) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

impl Embedded {
    /// Starts everything, and returns when the first generation serves, or nothing when the process is told to end
    /// before that. `listener` hears every report, on the thread of the control loop.
    ///
    /// # Errors
    /// When a source or a proxy does not start.
    pub(crate) fn start(
        sources: Vec<Box<dyn Source>>,
        identities: Identities,
        config: ProxyConfig,
        signals: &Signals,
        mut listener: impl FnMut(&Report, &Proxies) + Send + 'static,
    ) -> Result<Option<Self>, EmbeddedError> {
        let proxies = Proxies::default();
        let publisher = Box::new(EmbeddedPublisher::new(proxies.clone(), config));
        let (first, published) = mpsc::channel();
        let seen = proxies.clone();
        let mut first = Some(first);
        let hear = move |report: &Report| {
            let starter = if matches!(report, Report::Published(_)) { first.take() } else { None };
            // When a proxy does not start, the starter says so.
            if starter.is_none() || !seen.has_failed() {
                listener(report, &seen);
            }
            if let Some(starter) = starter {
                // The starter may have given up.
                starter.send(()).ok();
            }
        };
        let (control, stop) = ControlLoop::new(sources, identities, publisher, Box::new(hear))?;
        let thread =
            std::thread::Builder::new().name("control".to_owned()).spawn(move || control.run())?;
        let ended = || EmbeddedError::Thread(std::io::Error::other("it ended"));
        loop {
            match published.recv_timeout(LOOK_FOR_SIGNALS) {
                Ok(()) => break,
                Err(RecvTimeoutError::Timeout) if signals.ended_within(Duration::ZERO) => {
                    return Ok(None);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(ended()),
            }
        }
        let this = Self { proxies, stop, thread };
        match this.proxies.take_failure() {
            Some(error) => {
                this.stop();
                Err(error.into())
            }
            None => Ok(Some(this)),
        }
    }

    /// Ends in order: no more changes, then every connection has until the deadline.
    pub(crate) fn stop(self) {
        self.stop.stop();
        if self.thread.join().is_err() {
            tracing::error!("the control loop panicked");
        }
        self.proxies.drain();
    }
}
