//! Endpoints: where a port of a service can be reached.

pub mod kubernetes;
pub mod service_entry;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::labels::Labels;
use crate::locality::Locality;

/// One place where one port of a service can be reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The address.
    pub address: EndpointAddress,
    /// The port there; 0 for a path.
    pub port: u16,
    /// The name of the service port it belongs to.
    pub service_port_name: Arc<str>,
    /// The number of the service port, where known: endpoints of a `ServiceEntry`.
    pub service_port: Option<u16>,
    /// What runs there.
    pub workload: Arc<Workload>,
    /// The share within its locality, at least 1.
    pub weight: u32,
    /// Whether it can take requests.
    pub health: Health,
    /// Whether the workload takes no mTLS on this port (`PeerAuthentication` says `DISABLE`).
    pub plaintext_only: bool,
}

/// An address of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EndpointAddress {
    /// An IP address.
    Ip(IpAddr),
    /// A name to be resolved by the proxy.
    Name(Arc<str>),
    /// A path of a Unix domain socket.
    Path(Arc<str>),
}

impl EndpointAddress {
    /// Reads an address as `WorkloadEntry` spells it: an IP address, a host name, or `unix://` and a path.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if let Some(path) = text.strip_prefix("unix://") {
            return Self::Path(path.into());
        }
        text.parse().map_or_else(|_| Self::Name(text.into()), Self::Ip)
    }

    /// The IP address, when it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::Name(_) | Self::Path(_) => None,
        }
    }
}

impl fmt::Display for EndpointAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(text) | Self::Path(text) => f.write_str(text),
        }
    }
}

/// Whether an endpoint can take requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Health {
    /// It can.
    #[default]
    Healthy,
    /// It is not ready.
    Unhealthy,
    /// It finishes what it has and takes nothing new.
    Draining,
    /// It goes away.
    Terminating,
}

/// What runs behind endpoints: a Pod, a `WorkloadEntry` or an inline endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Workload {
    /// Its name; empty when nothing is known about it.
    pub name: Arc<str>,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its labels, completed with those of its place (`topology.kubernetes.io/…`).
    pub labels: Labels,
    /// Where it runs.
    pub locality: Locality,
    /// Its SPIFFE identity; empty when it has none.
    pub identity: Arc<str>,
    /// Whether it accepts the mesh's mTLS (`security.istio.io/tlsMode: istio`, or a `WorkloadEntry` with an identity).
    pub mesh_tls: bool,
    /// The Kubernetes node; empty when unknown.
    pub node: Arc<str>,
    /// The network; empty for the default one.
    pub network: Arc<str>,
    /// The name under which a headless service lists the Pod; empty when it has none.
    pub host_name: Arc<str>,
}
