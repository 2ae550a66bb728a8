//! One endpoint of a cluster, and the set of them at one moment.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::live_state::EndpointState;
use crate::upstream_tls::UpstreamTls;

/// Where an endpoint listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EndpointAddress {
    /// A TCP address.
    Socket(SocketAddr),
    /// A Unix domain socket, by path.
    Pipe(Arc<str>),
}

impl EndpointAddress {
    /// The TCP address, if it is one.
    pub fn socket(&self) -> Option<SocketAddr> {
        match self {
            Self::Socket(address) => Some(*address),
            Self::Pipe(_) => None,
        }
    }
}

/// As Envoy prints upstream hosts: `ip:port`, `[ip]:port`, or the path.
impl fmt::Display for EndpointAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => address.fmt(f),
            Self::Pipe(path) => f.write_str(path),
        }
    }
}

/// Health of an endpoint as the control plane reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Gets its full share of the traffic. Unknown health counts as this.
    #[default]
    Healthy,
    /// Used only as far as healthy endpoints do not suffice.
    Degraded,
    /// Not used, unless the cluster panics.
    Unhealthy,
}

/// Where an endpoint runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Locality {
    /// Region.
    pub region: String,
    /// Zone.
    pub zone: String,
    /// Sub-zone.
    pub sub_zone: String,
}

/// One endpoint.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Address to connect to; it also tells endpoints apart.
    pub address: EndpointAddress,
    /// Further addresses of the same endpoint, in order of preference, for when that one does not answer.
    pub others: Arc<[SocketAddr]>,
    /// Host name of the endpoint; empty when it has none. For `auto_host_rewrite` and TLS names.
    pub hostname: Arc<str>,
    /// Share of the traffic within its locality, at least 1.
    pub weight: u32,
    /// Health as reported.
    pub health: Health,
    /// Where it runs.
    pub locality: Arc<Locality>,
    /// Priority: 0 is used first.
    pub priority: u32,
    /// TLS towards this endpoint, chosen by the cluster's transport socket matches; `None` is plain text.
    pub tls: Option<Arc<UpstreamTls>>,
    /// Live counters.
    pub state: Arc<EndpointState>,
}
