//! Forwarding bytes: the TCP proxy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pilotage_proto::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy as Proto;
use pilotage_proto::envoy::extensions::filters::network::tcp_proxy::v3::tcp_proxy::ClusterSpecifier;
use pilotage_proto::envoy::r#type::v3::hash_policy::PolicySpecifier;
use xxhash_rust::xxh64::xxh64;

use crate::durations::limit;
use crate::env::Env;
use crate::rejection::{FieldError, Warnings};
use crate::weighted_clusters::Draw;

/// Where a TCP proxy filter sends connections.
#[derive(Debug)]
pub struct TcpRoute {
    /// Prefix of its statistics.
    pub stat_prefix: Arc<str>,
    /// Clusters and their weights; weight 1 for a single one.
    pub(crate) clusters: Draw<Arc<str>>,
    /// Closes connections without traffic for this long; `None`: never.
    pub idle_timeout: Option<Duration>,
    /// Closes connections this old.
    pub max_connection_duration: Option<Duration>,
    /// How many endpoints are tried.
    pub max_connect_attempts: u32,
    /// Hashes the client's address for consistent hashing.
    pub hash_source_address: bool,
    /// What filters before this one made of the server name that the client asks for in TLS.
    pub server_name: ByServerName,
    /// Wraps the bytes in an HTTP CONNECT or POST.
    pub tunneling: Option<Tunneling>,
}

/// What the server name of a client hello means for where a connection goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByServerName {
    /// For clusters that lead to whatever server the client asks for: its port there. xDS:
    /// `sni_dynamic_forward_proxy`.
    pub server_port: Option<u16>,
    /// A connection with a server name goes to the cluster of that name, whatever the route says. xDS: `sni_cluster`.
    pub is_cluster: bool,
}

/// How bytes are wrapped in HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunneling {
    /// Authority of the CONNECT request.
    pub hostname: Arc<str>,
    /// POST instead of CONNECT.
    pub use_post: bool,
}

/// Idle time after which connections are closed where nothing is said.
const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(3600);

impl TcpRoute {
    pub(crate) fn compile(
        proto: &Proto,
        server_name: ByServerName,
        warnings: &mut Warnings,
    ) -> Result<Self, FieldError> {
        if proto.metadata_match.is_some() {
            warnings.note("metadata_match", "subsets of endpoints by metadata are not supported");
        }
        let tunneling = proto.tunneling_config.as_ref().map(|tunneling| {
            if !tunneling.headers_to_add.is_empty() {
                warnings.note("tunneling_config.headers_to_add", "are not added");
            }
            Tunneling { hostname: tunneling.hostname.as_str().into(), use_post: tunneling.use_post }
        });
        let age = proto.max_downstream_connection_duration.as_ref();
        let idle = proto.idle_timeout.as_ref();
        Ok(Self {
            stat_prefix: proto.stat_prefix.as_str().into(),
            clusters: clusters(proto)?,
            idle_timeout: limit("idle_timeout", idle, Some(DEFAULT_IDLE_TIMEOUT))?,
            max_connection_duration: limit("max_downstream_connection_duration", age, None)?,
            max_connect_attempts: proto.max_connect_attempts.unwrap_or(1).max(1),
            hash_source_address: proto
                .hash_policy
                .iter()
                .any(|p| matches!(p.policy_specifier, Some(PolicySpecifier::SourceIp(_)))),
            server_name,
            tunneling,
        })
    }

    /// The hash of a connection from `client`, for [`crate::load_balancing::PickContext::hash`]; `None` where
    /// connections are not hashed.
    pub fn hash(&self, client: SocketAddr) -> Option<u64> {
        self.hash_source_address.then(|| xxh64(client.ip().to_string().as_bytes(), 0))
    }

    /// The clusters with their weights.
    pub fn shares(&self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        self.clusters.iter()
    }

    /// Name of the cluster for a new connection whose client asks for `server_name` in TLS.
    pub fn cluster(&self, server_name: Option<&str>, env: &mut Env<'_>) -> Arc<str> {
        match server_name {
            Some(name) if self.server_name.is_cluster && !name.is_empty() => name.into(),
            _ => Arc::clone(self.clusters.draw(|| env.random()).value),
        }
    }
}

fn clusters(proto: &Proto) -> Result<Draw<Arc<str>>, FieldError> {
    match &proto.cluster_specifier {
        Some(ClusterSpecifier::Cluster(name)) => Ok(Draw::single(name.as_str().into())),
        Some(ClusterSpecifier::WeightedClusters(weighted)) => {
            let items = weighted.clusters.iter();
            Draw::new(items.map(|c| (Arc::from(c.name.as_str()), u64::from(c.weight)))).ok_or_else(
                || FieldError::new("weighted_clusters", "the sum of weights must be above zero"),
            )
        }
        None => Err(FieldError::new("cluster_specifier", "is required")),
    }
}
