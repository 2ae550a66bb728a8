//! A request that goes upstream: where to, within which limits, and how its head changes on the way.

mod headers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::header::HeaderName;

pub(crate) use self::headers::apply_response_operations;
use crate::cluster::ClusterTable;
use crate::listener::Direction;
use crate::local_reply::LocalReply;
use crate::response_flag::ResponseFlags;
use crate::route::{ClusterChoice, ForwardAction, RouteAction, RouteEntry, WeightedCluster};
use crate::timeouts::Timeouts;
use crate::tls::TlsSession;

/// A request on its way upstream.
#[derive(Debug)]
pub struct Forward {
    /// The route that took it.
    pub route: Arc<RouteEntry>,
    /// The cluster that gets it.
    pub cluster: Arc<ClusterTable>,
    /// Which of the route's weighted clusters was drawn; 0 for a route with one cluster.
    pub weighted_index: usize,
    /// Time limits.
    pub timeouts: Timeouts,
    /// Hash of the request for consistent hashing.
    pub hash: Option<u64>,
    /// A cookie to set for consistent hashing.
    pub set_cookie: Option<HeaderValue>,
    /// Clusters that get a copy, by index into the route's mirrors.
    pub mirrors: Vec<usize>,
    /// To wait before anything is sent: an injected delay.
    pub delay: Option<Duration>,
    /// The origin that the CORS policy allows.
    pub cors_origin: Option<HeaderValue>,
    /// Flags so far: [`ResponseFlags::DELAY_INJECTED`].
    pub flags: ResponseFlags,
    /// Host to write when the chosen endpoint's name is to be the authority (`auto_host_rewrite`).
    pub auto_host_rewrite: bool,
    /// Whether the client's headers steer the router.
    pub(crate) steered: bool,
    pub(crate) direction: Direction,
    pub(crate) traced: bool,
    pub(crate) suppress_envoy_headers: bool,
}

/// What was learned about an exchange by the time its response headers are sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exchange<'a> {
    /// Attempts made, the first included.
    pub attempts: u32,
    /// The endpoint that answered.
    pub upstream: Option<SocketAddr>,
    /// TLS towards it, when its connection has some.
    pub upstream_tls: Option<&'a TlsSession>,
    /// Host name of that endpoint.
    pub upstream_hostname: Option<&'a str>,
    /// Name of the upstream cluster.
    pub cluster: Option<&'a str>,
    /// Flags so far.
    pub flags: ResponseFlags,
    /// Time from the request to the upstream's headers.
    pub upstream_service_time: Option<Duration>,
    /// Status of the answer.
    pub status: Option<u16>,
    /// Why the answer is what it is.
    pub details: &'a str,
    /// Wall-clock time at which the request began, since the Unix epoch.
    pub start: Duration,
    /// Name of this machine.
    pub hostname: &'a str,
    /// Bytes of the request's body so far.
    pub bytes_received: u64,
    /// Time that earlier attempts took.
    pub elapsed: Duration,
}

impl Forward {
    /// The forwarding part of the route.
    pub fn action(&self) -> Option<&ForwardAction> {
        match &self.route.action {
            RouteAction::Forward(action) => Some(action),
            RouteAction::Redirect(_) | RouteAction::DirectResponse(_) => None,
        }
    }
}

impl Forward {
    /// The weighted cluster that was drawn.
    pub fn weighted_cluster(&self) -> Option<&WeightedCluster> {
        match &self.action()?.clusters {
            ClusterChoice::Draw(clusters) => clusters.get(self.weighted_index),
            ClusterChoice::Header(_) => None,
        }
    }

    /// An answer where no endpoint was asked: `UH` or `UO`, with Envoy's body and details. What goes wrong on the way
    /// to an endpoint is for whoever makes connections to say.
    pub fn failure(&self, failure: UpstreamFailure) -> LocalReply {
        let (status, body, flags, details) = failure.parts();
        let status =
            http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::SERVICE_UNAVAILABLE);
        let mut reply = LocalReply::new(status, body, details).with_flags(self.flags | flags);
        reply.route = Some(Arc::clone(&self.route));
        reply.cluster = Some(Arc::clone(&self.cluster.settings.name));
        if failure == UpstreamFailure::Overflow {
            reply.headers.insert(OVERLOADED, HeaderValue::from_static("true"));
        }
        reply
    }
}

const OVERLOADED: HeaderName = HeaderName::from_static("x-envoy-overloaded");

/// Why no endpoint was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamFailure {
    /// No endpoint may be used.
    NoHealthyUpstream,
    /// A circuit breaker refused the request.
    Overflow,
}

impl UpstreamFailure {
    fn parts(self) -> (u16, &'static str, ResponseFlags, &'static str) {
        use crate::response_flag::details;
        match self {
            Self::NoHealthyUpstream => (
                503,
                "no healthy upstream",
                ResponseFlags::NO_HEALTHY_UPSTREAM,
                details::NO_HEALTHY_UPSTREAM,
            ),
            Self::Overflow => (
                503,
                "upstream connect error or disconnect/reset before headers. reset reason: overflow",
                ResponseFlags::UPSTREAM_OVERFLOW,
                "upstream_reset_before_response_started{overflow}",
            ),
        }
    }
}
