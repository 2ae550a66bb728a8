//! Forwarding bytes: the TCP proxy.

use std::sync::Arc;
use std::time::Duration;

use crate::env::Env;
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
    /// Wraps the bytes in an HTTP CONNECT or POST.
    pub tunneling: Option<Tunneling>,
}

/// How bytes are wrapped in HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunneling {
    /// Authority of the CONNECT request.
    pub hostname: Arc<str>,
    /// POST instead of CONNECT.
    pub use_post: bool,
}

impl TcpRoute {
    /// Name of the cluster for a new connection.
    pub fn cluster(&self, env: &mut Env<'_>) -> &Arc<str> {
        self.clusters.draw(|| env.random()).value
    }
}
