//! What an embedder tells a proxy.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::access_log::AccessLogSettings;
use crate::metrics::{Registry, Source};

/// Gives the JSON of `/config_dump`.
pub type ConfigDump = Arc<dyn Fn() -> serde_json::Value + Send + Sync>;
/// Says what would become of a request that is described as JSON, at a time that is told since the start of the proxy; or
/// why that cannot be said.
pub type Explain = Arc<dyn Fn(&[u8], Duration) -> Result<serde_json::Value, String> + Send + Sync>;
/// Sets the log filter to the given directives, or says why it cannot; called by `/logging`.
pub type SetLogFilter = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;
/// Where a listener that wants this address is really bound.
pub type BindAddress = Arc<dyn Fn(SocketAddr) -> SocketAddr + Send + Sync>;

/// The port of the listener of all connections that are redirected on their way to the workload, Istio's 15006.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InboundPort {
    /// Nothing is redirected: it has no socket.
    #[default]
    Closed,
    /// This one instead of its own, on every address; 0 is any that is free.
    At(u16),
    /// As its resource says.
    AsWritten,
}

/// How a proxy runs.
#[derive(Clone)]
pub struct ProxyConfig {
    /// Worker threads, at least one.
    pub workers: usize,
    /// Port for clients that use the proxy as an HTTP proxy or by host name; Istio's 15001. `None`: not bound.
    pub outbound_address: Option<SocketAddr>,
    /// Where connections that were redirected on their way to the workload arrive.
    pub inbound: InboundPort,
    /// Name servers to ask; when empty, those of the system.
    pub name_servers: Vec<SocketAddr>,
    /// Admin endpoint; Istio's 15000.
    pub admin_address: Option<SocketAddr>,
    /// Prometheus metrics; Istio's 15090.
    pub metrics_address: Option<SocketAddr>,
    /// Readiness; Istio's 15021.
    pub ready_address: Option<SocketAddr>,
    /// How long requests and streams may go on once the proxy drains.
    pub drain_deadline: Duration,
    /// The access log.
    pub access_log: AccessLogSettings,
    /// Labels of the metrics' source.
    pub source: Source,
    /// Where it counts. Proxies of one process may share a registry, so that one scrape shows all of them; `None`: its
    /// own.
    pub registry: Option<Arc<Registry>>,
    /// Name of this machine, for `%HOSTNAME%`.
    pub hostname: String,
    /// Where listeners are bound. The default keeps ports and puts wildcard addresses on loopback.
    pub bind: BindAddress,
    /// What `/config_dump` shows.
    pub config_dump: Option<ConfigDump>,
    /// What `/explain` answers.
    pub explain: Option<Explain>,
    /// What `/logging` changes.
    pub set_log_filter: Option<SetLogFilter>,
}

impl ProxyConfig {
    /// No port bound but those of listeners, one worker per core, the log off.
    pub fn new() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            outbound_address: None,
            inbound: InboundPort::default(),
            name_servers: Vec::new(),
            admin_address: None,
            metrics_address: None,
            ready_address: None,
            drain_deadline: Duration::from_secs(5),
            access_log: AccessLogSettings::default(),
            source: Source::default(),
            registry: None,
            hostname: String::new(),
            bind: Arc::new(on_loopback),
            config_dump: None,
            explain: None,
            set_log_filter: None,
        }
    }
}

impl Default for ProxyConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ProxyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyConfig")
            .field("workers", &self.workers)
            .field("outbound_address", &self.outbound_address)
            .field("inbound", &self.inbound)
            .field("admin_address", &self.admin_address)
            .field("metrics_address", &self.metrics_address)
            .field("ready_address", &self.ready_address)
            .field("drain_deadline", &self.drain_deadline)
            .field("access_log", &self.access_log)
            .finish_non_exhaustive()
    }
}

/// The same port, on loopback where the address is a wildcard.
pub fn on_loopback(wanted: SocketAddr) -> SocketAddr {
    if wanted.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), wanted.port())
    } else {
        wanted
    }
}
