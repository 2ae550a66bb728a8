//! A cluster: how its endpoints are found, chosen and spoken to.

mod compile;
mod health;
mod service;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

pub use self::service::ServiceName;
use crate::circuit_breakers::CircuitBreakers;
use crate::dns::{DnsSettings, DnsTarget};
use crate::endpoint::Endpoint;
use crate::endpoint_set::{EndpointSet, EndpointSetOptions};
use crate::env::Env;
use crate::header_names::HeaderNames;
use crate::http2_options::Http2Options;
use crate::live_state::ClusterState;
use crate::load_assignment::LoadAssignment;
use crate::load_balancing::{PickContext, PickError, Policy, SlowStart};
use crate::outlier_detection::OutlierDetection;
use crate::proxy_protocol::ProxyProtocolVersion;
use crate::upstream_protocol::UpstreamProtocol;
use crate::upstream_tls::{ServerNamePolicy, TlsChoice, UpstreamTls};
use crate::zone_routing::Peers;

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
    /// Wherever the host that the request itself names is (dynamic forward proxy): whoever asks for an endpoint has
    /// resolved it.
    DynamicForwardProxy,
}

/// What a cluster is apart from its endpoints; shared by every generation in which it did not change.
#[derive(Debug)]
pub struct ClusterSettings {
    /// Name, as routes use it.
    pub name: Arc<str>,
    /// Name in statistics, which several clusters may share.
    pub stat_name: Arc<str>,
    /// The service that it leads to, where that is said.
    pub service: Option<ServiceName>,
    /// How endpoints are found.
    pub discovery: Discovery,
    /// How one is chosen.
    pub policy: Policy,
    /// How new endpoints grow to their share.
    pub slow_start: Option<SlowStart>,
    /// When endpoints are taken out for failing.
    pub outlier_detection: Option<OutlierDetection>,
    /// Whether requests are to be hashed: the cluster asks for consistent hashing.
    pub hashes_requests: bool,
    /// How long connecting (including TLS) may take.
    pub connect_timeout: Duration,
    /// Which HTTP version is spoken.
    pub protocol: UpstreamProtocol,
    /// Trailers are passed on over HTTP/1, both ways.
    pub http1_trailers: bool,
    /// How names of headers are spelled over HTTP/1.
    pub header_names: HeaderNames,
    /// HTTP/2 connections to it.
    pub http2: Http2Options,
    /// Limits.
    pub circuit_breakers: CircuitBreakers,
    /// Upstream connections idle for this long are closed; `None`: never.
    pub idle_timeout: Option<Duration>,
    /// Upstream connections older than this take no new requests.
    pub max_connection_duration: Option<Duration>,
    /// Requests after which an upstream connection is not used again.
    pub max_requests_per_connection: Option<u32>,
    /// Headers that an answer may have.
    pub max_headers_count: u32,
    /// TCP keep-alive of upstream connections.
    pub tcp_keepalive: Option<TcpKeepalive>,
    /// Local address that upstream connections start from.
    pub source_address: Option<IpAddr>,
    /// How the client's address and destination are told upstream before everything else, with the PROXY protocol.
    pub proxy_protocol: Option<ProxyProtocolVersion>,
    /// TLS of the cluster's own transport socket; endpoints may have another.
    pub tls: Option<Arc<UpstreamTls>>,
    /// Which server name connections with TLS ask for.
    pub server_name: ServerNamePolicy,
    /// How names are resolved, for DNS clusters.
    pub dns: DnsSettings,
    pub(crate) tls_choice: TlsChoice,
    pub(crate) endpoint_options: EndpointSetOptions,
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
    assignment: Arc<LoadAssignment>,
    peers: Option<Arc<Peers>>,
    dns_targets: Vec<DnsTarget>,
    /// How many times an answer had changed the endpoints when they were built.
    built_from: AtomicU64,
    endpoints: ArcSwap<EndpointSet>,
    /// Who holds it may replace the endpoints.
    replacing: Mutex<()>,
}

impl ClusterSettings {
    /// Every TLS context that endpoints of this cluster may get.
    pub fn tls_contexts(&self) -> impl Iterator<Item = &Arc<UpstreamTls>> {
        self.tls_choice.all()
    }

    fn endpoints(
        &self,
        assignment: &LoadAssignment,
        state: &ClusterState,
        peers: Option<&Arc<Peers>>,
        before: Option<&EndpointSet>,
    ) -> EndpointSet {
        let options = self.endpoint_options;
        assignment.endpoints(self.discovery, &self.tls_choice, state, options, peers, before)
    }
}

impl ClusterTable {
    pub(crate) fn new(
        settings: Arc<ClusterSettings>,
        assignment: Arc<LoadAssignment>,
        state: Arc<ClusterState>,
        peers: Option<Arc<Peers>>,
        before: Option<&Self>,
    ) -> Self {
        // Read first: an answer in between makes the endpoints be built once more, not once too few.
        let built_from = AtomicU64::new(state.resolutions());
        let before = before.map(Self::endpoints);
        let endpoints = settings.endpoints(&assignment, &state, peers.as_ref(), before.as_deref());
        Self {
            dns_targets: assignment.dns_targets(),
            built_from,
            endpoints: ArcSwap::from_pointee(endpoints),
            replacing: Mutex::default(),
            settings,
            state,
            assignment,
            peers,
        }
    }

    /// The proxies like this one, as far as they are known.
    pub(crate) fn peers(&self) -> Option<&Arc<Peers>> {
        self.peers.as_ref()
    }

    pub(crate) fn assignment(&self) -> &Arc<LoadAssignment> {
        &self.assignment
    }

    /// Name of the cluster.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// The endpoints now.
    pub fn endpoints(&self) -> Arc<EndpointSet> {
        self.endpoints.load_full()
    }

    /// The names this cluster wants resolved, for the DNS kinds.
    pub fn dns_targets(&self) -> &[DnsTarget] {
        &self.dns_targets
    }

    /// Gives a DNS cluster what `target` resolved to, in the order of the answer: an empty list when the name does not
    /// exist. An answer outlives table swaps, so a proxy need not resolve again when configuration changes.
    pub fn resolved(&self, target: &DnsTarget, addresses: &[IpAddr]) {
        self.state.set_resolved(target, addresses);
        self.follow_names();
    }

    /// Builds the endpoints anew if names were resolved since: an answer may have reached another generation of this
    /// cluster first.
    pub fn follow_names(&self) {
        let resolutions = self.state.resolutions();
        if self.built_from.swap(resolutions, Ordering::AcqRel) != resolutions {
            let _alone = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
            let before = self.endpoints.load();
            let (assignment, state) = (&self.assignment, &self.state);
            let peers = self.peers.as_ref();
            let next = self.settings.endpoints(assignment, state, peers, Some(&before));
            self.endpoints.store(Arc::new(next));
        }
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
        let set = self.endpoints.load();
        if set.generation != self.state.health_generation() {
            drop(set);
            self.follow_health();
            return crate::load_balancing::pick(self, &self.endpoints.load(), context, env);
        }
        crate::load_balancing::pick(self, &set, context, env)
    }
}
