//! What the configuration says of connections, on either side.

use pilotage_engine::cluster::ClusterSettings;
use pilotage_engine::header_names::HeaderNames;
use pilotage_engine::http_manager::HttpManager;

use super::scan::Limits;

/// What a listener says of its connections, or a cluster of those to its endpoints.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settings {
    /// Of the head of a message.
    pub(crate) limits: Limits,
    /// Trailers are passed on, both ways.
    pub(crate) trailers: bool,
    /// How names of headers are spelled.
    pub(crate) names: HeaderNames,
    /// Towards clients: interim answers of upstreams may be passed on.
    pub(crate) interim: bool,
}

impl Settings {
    /// Of connections from clients.
    pub(crate) fn of(manager: &HttpManager) -> Self {
        let most = |limit| usize::try_from(limit).unwrap_or(usize::MAX);
        let limits = Limits {
            bytes: most(manager.max_request_headers_bytes),
            headers: most(manager.max_headers_count),
        };
        Self {
            limits,
            trailers: manager.enable_trailers,
            names: manager.header_names,
            interim: manager.proxy_100_continue,
        }
    }

    /// Of connections whose listener is known only by their requests.
    pub(crate) fn unplaced(names: HeaderNames) -> Self {
        Self { names, interim: true, ..Self::default() }
    }

    /// Of connections to the endpoints of a cluster.
    pub(crate) fn towards(cluster: &ClusterSettings) -> Self {
        let headers = usize::try_from(cluster.max_headers_count).unwrap_or(usize::MAX);
        Self {
            limits: Limits { headers, ..Limits::default() },
            trailers: cluster.http1_trailers,
            names: cluster.header_names,
            ..Self::default()
        }
    }
}
