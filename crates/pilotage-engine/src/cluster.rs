//! A cluster: how its endpoints are found, chosen and spoken to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::circuit_breakers::CircuitBreakers;
use crate::endpoint::Endpoint;
use crate::endpoint_set::EndpointSet;
use crate::env::Env;
use crate::live_state::ClusterState;
use crate::load_balancing::Policy;
use crate::load_balancing::{PickContext, PickError};
use crate::upstream_protocol::UpstreamProtocol;
use crate::upstream_tls::UpstreamTls;

/// How the endpoints of a cluster become known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// Part of the cluster.
    Static,
    /// From the control plane.
    Eds,
    /// Every address that a DNS name resolves to is an endpoint.
    StrictDns,
    /// A DNS name is one endpoint; each new connection takes its first address.
    LogicalDns,
    /// Wherever the client wanted to go.
    OriginalDst,
    /// Resolved from the request's own host (dynamic forward proxy); not supported yet: answers 503 UH.
    DynamicForwardProxy,
}

/// A name that a DNS cluster wants resolved.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DnsTarget {
    /// Name to resolve.
    pub host: Arc<str>,
    /// Port of the endpoints it makes.
    pub port: u16,
}

/// What a cluster is apart from its endpoints; shared by every generation in which it did not change.
#[derive(Debug)]
pub struct ClusterSettings {
    /// Name, as routes use it.
    pub name: Arc<str>,
    /// How endpoints are found.
    pub discovery: Discovery,
    /// How one is chosen.
    pub policy: Policy,
    /// How long connecting (including TLS) may take.
    pub connect_timeout: Duration,
    /// Which HTTP version is spoken.
    pub protocol: UpstreamProtocol,
    /// Limits.
    pub circuit_breakers: CircuitBreakers,
    /// Upstream connections idle for this long are closed; `None`: never.
    pub idle_timeout: Option<Duration>,
    /// Upstream connections older than this take no new requests.
    pub max_connection_duration: Option<Duration>,
    /// Requests after which an upstream connection is not used again.
    pub max_requests_per_connection: Option<u32>,
    /// TCP keep-alive of upstream connections.
    pub tcp_keepalive: Option<TcpKeepalive>,
    /// Local address that upstream connections start from.
    pub source_address: Option<std::net::IpAddr>,
    /// Whether the destination of every request is told upstream with the PROXY protocol.
    pub sends_proxy_protocol: bool,
    /// TLS of the cluster's own transport socket; endpoints may have another.
    pub tls: Option<Arc<UpstreamTls>>,
    /// Names to resolve, for DNS clusters.
    pub dns_targets: Vec<DnsTarget>,
}

/// TCP keep-alive. Absent values are the operating system's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpKeepalive {
    /// Probes without an answer before the connection counts as dead.
    pub probes: Option<u32>,
    /// Idle time before the first probe.
    pub time: Option<Duration>,
    /// Time between probes.
    pub interval: Option<Duration>,
}

/// One cluster at one generation.
#[derive(Debug)]
pub struct ClusterTable {
    /// Everything but the endpoints.
    pub settings: Arc<ClusterSettings>,
    /// Live counters.
    pub state: Arc<ClusterState>,
    endpoints: ArcSwap<EndpointSet>,
}

impl ClusterTable {
    /// Name of the cluster.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// The endpoints now.
    pub fn endpoints(&self) -> Arc<EndpointSet> {
        self.endpoints.load_full()
    }

    /// Gives a DNS cluster what `target` resolved to: an empty list when the name does not exist. An answer outlives
    /// table swaps, so a proxy need not resolve again when configuration changes.
    pub fn resolved(&self, target: &DnsTarget, addresses: &[SocketAddr]) {
        let _ = (target, addresses);
    }

    /// Chooses an endpoint for one attempt.
    ///
    /// # Errors
    /// When no endpoint may be used: Envoy's `UH`, 503.
    pub fn pick(
        &self,
        context: &PickContext<'_>,
        env: &mut Env<'_>,
    ) -> Result<Arc<Endpoint>, PickError> {
        crate::load_balancing::pick(self, &self.endpoints.load(), context, env)
    }
}
