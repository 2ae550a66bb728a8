//! Routes that no rule asks for: to a service without rules, into the workload, and for unknown hosts.

use pilotage_config::virtual_service::HttpRetry;
use pilotage_proto::envoy::config::route::v3::route::Action;
use pilotage_proto::envoy::config::route::v3::route_action::{ClusterSpecifier, HashPolicy};
use pilotage_proto::envoy::config::route::v3::{
    Decorator, DirectResponseAction, Route, RouteAction,
};

use crate::{http_match, retries, timeouts};

/// The name of the route for all requests where no rule applies.
pub(crate) const NAME: &str = "default";

/// Everything to one port of a service.
///
/// Retries avoid hosts that were tried, even if the cluster chooses hosts by hash.
pub(crate) fn to_service(
    cluster: String,
    operation: String,
    hash: Option<HashPolicy>,
    mesh_retries: Option<&HttpRetry>,
) -> Route {
    let mut action = RouteAction {
        cluster_specifier: Some(ClusterSpecifier::Cluster(cluster)),
        hash_policy: hash.into_iter().collect(),
        retry_policy: retries::policy(None, mesh_retries, false),
        ..RouteAction::default()
    };
    timeouts::set(&mut action, None);
    Route { decorator: Some(decorator(operation)), ..every_request(NAME, Action::Route(action)) }
}

/// Everything to a cluster that needs no service: the address the client dialled, or a proxy that knows the way.
pub(crate) fn to_cluster(name: &str, cluster: String) -> Route {
    let mut action = RouteAction {
        cluster_specifier: Some(ClusterSpecifier::Cluster(cluster)),
        ..RouteAction::default()
    };
    timeouts::set(&mut action, None);
    every_request(name, Action::Route(action))
}

/// Everything answered with a status and nothing else.
pub(crate) fn answer(name: &str, status: u32) -> Route {
    let action = DirectResponseAction { status, body: None };
    every_request(name, Action::DirectResponse(action))
}

/// What a trace shows as the operation of a route.
pub(crate) fn decorator(operation: String) -> Decorator {
    Decorator { operation, propagate: None }
}

fn every_request(name: &str, action: Action) -> Route {
    Route {
        name: name.to_owned(),
        r#match: Some(http_match::every_request()),
        action: Some(action),
        ..Route::default()
    }
}
