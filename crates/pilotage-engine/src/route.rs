//! A route: a match and what follows from it.

mod compile;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pilotage_proto::envoy::config::core::v3::Metadata;

pub(crate) use self::compile::{FilterConfigs, Inherited, mirrors};
use crate::cors::CorsPolicy;
use crate::direct_response::DirectResponse;
use crate::faults::Fault;
use crate::hash_policy::HashPolicy;
use crate::header_format::HeaderSource;
use crate::header_operations::LevelOperations;
use crate::mirrors::Mirror;
use crate::redirect::Redirect;
use crate::retries::RetryPolicy;
use crate::rewrite::{HostRewrite, PathRewrite};
use crate::route_match::RouteMatch;
use crate::virtual_host::VirtualHostSettings;
use crate::weighted_clusters::Draw;

/// One route.
#[derive(Debug)]
pub struct RouteEntry {
    /// Name; empty when it has none.
    pub name: Arc<str>,
    /// Place in its virtual host.
    pub index: usize,
    /// What it takes.
    pub matcher: RouteMatch,
    /// What it does.
    pub action: RouteAction,
    /// Its virtual host.
    pub virtual_host: Arc<VirtualHostSettings>,
    /// Metadata as delivered, encoded.
    pub(crate) metadata: Bytes,
    /// Operation name for traces and the `x-envoy-decorator-operation` header.
    pub decorator: Option<Decorator>,
    /// Name for per-route statistics; empty when there are none.
    pub stat_prefix: Arc<str>,
    /// Fault to inject.
    pub fault: Option<Arc<Fault>>,
    /// CORS policy.
    pub cors: Option<Arc<CorsPolicy>>,
    /// Header operations of the route itself.
    pub(crate) operations: LevelOperations,
}

/// The operation name of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decorator {
    /// Name.
    pub operation: http::HeaderValue,
    /// Whether it is told upstream.
    pub propagate: bool,
}

/// What a route does.
#[derive(Debug)]
pub enum RouteAction {
    /// Sends the request to a cluster.
    Forward(Box<ForwardAction>),
    /// Sends the client elsewhere.
    Redirect(Box<Redirect>),
    /// Answers by itself.
    DirectResponse(DirectResponse),
}

/// Forwarding.
#[derive(Debug)]
pub struct ForwardAction {
    pub(crate) clusters: ClusterChoice,
    /// Status when the cluster does not exist.
    pub not_found_status: http::StatusCode,
    /// Time for the whole request, retries included; `None`: no limit.
    pub timeout: Option<Duration>,
    /// The stream may be idle for so long; `None`: the connection manager's limit applies; zero: no limit.
    pub idle_timeout: Option<Duration>,
    /// Upper limit of the `grpc-timeout` that clients may ask for; zero: unlimited; `None`: not obeyed.
    pub max_grpc_timeout: Option<Duration>,
    /// Subtracted from `grpc-timeout`.
    pub grpc_timeout_offset: Duration,
    /// Limits on the life of the stream.
    pub max_stream_duration: Option<crate::timeouts::MaxStreamDuration>,
    /// When and how to try again.
    pub retries: Option<Arc<RetryPolicy>>,
    /// Copies.
    pub mirrors: Vec<Mirror>,
    /// What to hash for consistent hashing.
    pub hash_policies: Vec<HashPolicy>,
    /// Upgrades allowed or forbidden on this route, lower case.
    pub upgrades: Vec<(Arc<str>, bool)>,
    /// Whether the original host goes into `x-forwarded-host`.
    pub append_x_forwarded_host: bool,
    pub(crate) path_rewrite: Option<PathRewrite>,
    pub(crate) host_rewrite: Option<HostRewrite>,
}

/// Which cluster takes a request.
#[derive(Debug)]
pub(crate) enum ClusterChoice {
    /// One of these.
    Draw(Draw<WeightedCluster>),
    /// The one that a header of the request names, or a part of its request line.
    Header(HeaderSource),
}

/// A cluster of a route, with what is particular to it.
#[derive(Debug)]
pub struct WeightedCluster {
    /// Name of the cluster.
    pub name: Arc<str>,
    /// Host rewrite of its own.
    pub(crate) host_rewrite: Option<Box<str>>,
    /// Header operations of its own.
    pub(crate) operations: LevelOperations,
}

impl RouteEntry {
    /// Metadata as delivered: where the route comes from.
    pub fn metadata(&self) -> Option<Metadata> {
        Metadata::of_route(&self.metadata)
    }

    /// The path of a request to `path` as what comes after routing sees it, when this route answers: a redirect that
    /// rewrites the path has done so by then.
    pub fn seen_path<'p>(&self, path: &'p str) -> Cow<'p, str> {
        match &self.action {
            RouteAction::Redirect(redirect) => {
                redirect.seen_path(path, self.matcher.matched_length(path))
            }
            RouteAction::Forward(_) | RouteAction::DirectResponse(_) => Cow::Borrowed(path),
        }
    }
}

impl ForwardAction {
    /// The clusters with their weights, of which a request draws one; nothing where a header names the cluster.
    pub fn shares(&self) -> impl Iterator<Item = (&WeightedCluster, u64)> {
        let drawn = match &self.clusters {
            ClusterChoice::Draw(clusters) => Some(clusters.iter()),
            ClusterChoice::Header(_) => None,
        };
        drawn.into_iter().flatten()
    }

    /// Whether the name of the endpoint becomes the host.
    pub(crate) fn rewrites_host_to_endpoint(&self) -> bool {
        matches!(self.host_rewrite, Some(HostRewrite::Endpoint))
    }
}
