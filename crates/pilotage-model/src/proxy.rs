//! Who asks: a proxy, or all proxies that get the same answer.

mod of_selector;

use std::net::IpAddr;
use std::sync::Arc;

use pilotage_config::mesh::InterceptionMode;

pub use self::of_selector::of_selector;
use crate::labels::Labels;
use crate::locality::Locality;

/// What a proxy is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProxyKind {
    /// Beside one workload, for its traffic in and out.
    #[default]
    Sidecar,
    /// At the edge, for traffic between the mesh and elsewhere.
    Gateway,
}

/// All that the configuration of a proxy depends on. Proxies that agree in it get the same resources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ProxyClass {
    /// What it is for.
    pub kind: ProxyKind,
    /// The namespace of its workload.
    pub namespace: Arc<str>,
    /// The labels of its workload.
    pub labels: Labels,
    /// Its addresses, the primary one first.
    pub addresses: Vec<IpAddr>,
    /// The service account of its workload; empty when unknown.
    pub service_account: Arc<str>,
    /// Where it runs.
    pub locality: Locality,
    /// The Kubernetes node it runs on; empty when unknown.
    pub node: Arc<str>,
    /// The network it is in; empty for the default one.
    pub network: Arc<str>,
    /// How traffic gets to it; `None` when its workload does not say.
    pub interception: Option<InterceptionMode>,
    /// Whether it takes HTTP/1.0 (`ISTIO_META_HTTP10`).
    pub http10: bool,
    /// Whether it answers its workload's DNS queries, so that allocated addresses count (`ISTIO_META_DNS_CAPTURE`).
    pub dns_capture: bool,
}

impl ProxyClass {
    /// Whether it stands beside a workload.
    #[must_use]
    pub fn is_sidecar(&self) -> bool {
        self.kind == ProxyKind::Sidecar
    }

    /// Whether its primary address is an IPv6 one.
    #[must_use]
    pub fn is_ipv6_only(&self) -> bool {
        !self.addresses.is_empty() && self.addresses.iter().all(IpAddr::is_ipv6)
    }

    /// Whether applications use its listeners without redirection by the kernel.
    #[must_use]
    pub fn is_not_captured(&self) -> bool {
        self.interception == Some(InterceptionMode::None)
    }
}
