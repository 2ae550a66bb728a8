//! `http[]`: rules as Envoy's routes, one for each match block.

use std::collections::BTreeMap;

use pilotage_config::virtual_service::{
    Destination, Headers, HttpMatchRequest, HttpRoute, HttpRouteDestination,
};
use pilotage_model::labels::selects;
use pilotage_model::origin::Origin;
use pilotage_model::virtual_service::{Rule, VirtualService};
use pilotage_proto::envoy::config::route::v3::route::Action;
use pilotage_proto::envoy::config::route::v3::route_action::{
    ClusterSpecifier, HashPolicy, HostRewriteSpecifier,
};
use pilotage_proto::envoy::config::route::v3::weighted_cluster::ClusterWeight;
use pilotage_proto::envoy::config::route::v3::weighted_cluster::cluster_weight;
use pilotage_proto::envoy::config::route::v3::{Route, RouteAction, WeightedCluster};
use pilotage_proto::{Any, Message as _, pack};

use crate::default_route::decorator;
use crate::place::Place;
use crate::{
    consistent_hash, cors, direct_response, faults, header_operations, http_match, mirrors, origin,
    proxy_headers, redirect, retries, rewrite, timeouts,
};

/// The routes of a virtual service at `place`, in the order in which they are tried. Rules that can never apply there
/// are left out, and so is everything behind a route that takes every request.
pub(crate) fn routes(service: &VirtualService, place: &Place<'_>) -> Vec<Route> {
    // There are thousands of services, and what a list outgrows is memory that nothing else may fit into.
    let most = service.http.iter().map(|rule| rule.rule.match_.len().max(1)).sum();
    let mut routes = Vec::with_capacity(most);
    for rule in &service.http {
        if rule.rule.match_.is_empty() {
            routes.push(route(service, rule, None, place));
            return routes;
        }
        for (index, block) in rule.rule.match_.iter().enumerate() {
            if !applies(block, place) {
                continue;
            }
            let route = route(service, rule, Some((index, block)), place);
            let last = route.r#match.as_ref().is_some_and(http_match::is_catch_all);
            routes.push(route);
            if last {
                return routes;
            }
        }
    }
    routes
}

/// Whether the conditions of a block that no request can change hold at `place`.
fn applies(block: &HttpMatchRequest, place: &Place<'_>) -> bool {
    if block.port != 0 && block.port != place.port {
        return false;
    }
    // A list of gateways replaces the conditions on the client.
    if !block.gateways.is_empty() {
        return block.gateways.iter().any(|gateway| gateway == place.gateway);
    }
    selects(&block.source_labels, &place.proxy().labels)
        && (block.source_namespace.is_empty()
            || *block.source_namespace == *place.proxy().namespace)
}

fn route(
    service: &VirtualService,
    rule: &Rule<HttpRoute>,
    block: Option<(usize, &HttpMatchRequest)>,
    place: &Place<'_>,
) -> Route {
    let written = &*rule.rule;
    let condition = match block {
        Some((_, block)) => http_match::route_match(block),
        None => http_match::every_request(),
    };
    let path = http_match::path_for_traces(&condition);
    let mut operations = header_operations::operations(written.headers.as_deref());
    let mut operation = format!("{}:{}{path}", service.name, place.port);
    let action = if let Some(wanted) = &written.redirect {
        redirect::redirect(wanted, place.port, place.tls).map(Action::Redirect)
    } else if let Some(answer) = &written.direct_response {
        Some(Action::DirectResponse(direct_response::direct_response(answer)))
    } else {
        let mut action = forward(written, operations.authority.take(), place);
        if let [only] = written.route.as_slice() {
            let single = header_operations::operations(only.headers.as_deref());
            to_single(&mut action, only, single.authority.clone(), place);
            operations.append(single);
            if let Some(destination) = &only.destination {
                operation = format!("{}{path}", place.operation(destination));
            }
        } else {
            to_several(&mut action, &written.route, place);
        }
        Some(Action::Route(action))
    };
    Route {
        name: name(written, block.map(|(_, block)| block)),
        r#match: Some(condition),
        action,
        metadata: {
            let block = block_origin(rule, block);
            origin::metadata(&service.origin, &block, rule.root.as_ref()).encode_to_vec().into()
        },
        decorator: Some(decorator(operation)),
        typed_per_filter_config: filters(written),
        request_headers_to_add: operations.request_add,
        request_headers_to_remove: operations.request_remove,
        response_headers_to_add: operations.response_add,
        response_headers_to_remove: operations.response_remove,
        stat_prefix: block.map(|(_, block)| block.stat_prefix.clone()).unwrap_or_default(),
        ..Route::default()
    }
}

/// The name of a route: that of the rule, then that of the block behind a dot, even when the rule has none.
fn name(rule: &HttpRoute, block: Option<&HttpMatchRequest>) -> String {
    match block {
        Some(block) if !block.name.is_empty() => format!("{}.{}", rule.name, block.name),
        _ => rule.name.clone(),
    }
}

fn block_origin(rule: &Rule<HttpRoute>, block: Option<(usize, &HttpMatchRequest)>) -> Origin {
    match block {
        Some((index, _)) if rule.rule.match_.len() > 1 && rule.root.is_none() => {
            rule.origin.at(format!("{}.match[{index}]", rule.origin.path))
        }
        _ => rule.origin.clone(),
    }
}

fn filters(rule: &HttpRoute) -> BTreeMap<String, Any> {
    let mut filters = BTreeMap::new();
    if let Some(fault) = &rule.fault {
        filters.insert(faults::FILTER.to_owned(), pack(&faults::fault(fault)));
    }
    if let Some(policy) = &rule.cors_policy {
        filters.insert(cors::FILTER.to_owned(), pack(&cors::policy(policy)));
    }
    filters
}

/// What forwarding does whatever the destination.
fn forward(
    rule: &HttpRoute,
    authority_by_header: Option<String>,
    place: &Place<'_>,
) -> RouteAction {
    let hashing = match rule.route.as_slice() {
        [only] => hash_policy(only, place).is_some(),
        _ => false,
    };
    let mut action = RouteAction {
        retry_policy: retries::policy(rule.retries.as_deref(), place.mesh_retries(), hashing),
        request_mirror_policies: mirrors::policies(rule, |to| place.cluster(to)),
        append_x_forwarded_host: proxy_headers::tells_original_host(place.view),
        ..RouteAction::default()
    };
    timeouts::set(&mut action, rule.timeout);
    let mut authority = authority_by_header;
    if let Some(wanted) = &rule.rewrite {
        rewrite::set_path(&mut action, wanted);
        if !wanted.authority.is_empty() {
            authority = Some(wanted.authority.clone());
        }
    }
    action.host_rewrite_specifier = authority.map(HostRewriteSpecifier::HostRewriteLiteral);
    action
}

/// Forwards everything to one destination, whatever its weight.
fn to_single(
    action: &mut RouteAction,
    only: &HttpRouteDestination,
    authority: Option<String>,
    place: &Place<'_>,
) {
    let cluster = cluster(only.destination.as_ref(), place);
    action.cluster_specifier = Some(ClusterSpecifier::Cluster(cluster));
    action.hash_policy = hash_policy(only, place).into_iter().collect();
    // What the rule itself says about the host has already been set.
    if action.host_rewrite_specifier.is_none() {
        action.host_rewrite_specifier = authority.map(HostRewriteSpecifier::HostRewriteLiteral);
    }
}

/// Forwards by weight. Destinations of weight 0 vanish, even if one is left.
fn to_several(action: &mut RouteAction, routes: &[HttpRouteDestination], place: &Place<'_>) {
    let weighted = routes.iter().filter(|route| route.weight != 0);
    let mut clusters = Vec::new();
    for route in weighted {
        action.hash_policy.extend(hash_policy(route, place));
        clusters.push(cluster_weight(route, route.headers.as_deref(), place));
    }
    action.cluster_specifier = Some(ClusterSpecifier::WeightedClusters(WeightedCluster {
        clusters,
        ..WeightedCluster::default()
    }));
}

fn cluster_weight(
    route: &HttpRouteDestination,
    headers: Option<&Headers>,
    place: &Place<'_>,
) -> ClusterWeight {
    let operations = header_operations::operations(headers);
    ClusterWeight {
        name: cluster(route.destination.as_ref(), place),
        weight: Some(u32::try_from(route.weight).unwrap_or(0)),
        request_headers_to_add: operations.request_add,
        request_headers_to_remove: operations.request_remove,
        response_headers_to_add: operations.response_add,
        response_headers_to_remove: operations.response_remove,
        host_rewrite_specifier: operations
            .authority
            .map(cluster_weight::HostRewriteSpecifier::HostRewriteLiteral),
        ..ClusterWeight::default()
    }
}

fn cluster(destination: Option<&Destination>, place: &Place<'_>) -> String {
    destination.map_or_else(|| UNKNOWN_SERVICE.to_owned(), |to| place.cluster(to))
}

fn hash_policy(route: &HttpRouteDestination, place: &Place<'_>) -> Option<HashPolicy> {
    let destination = route.destination.as_ref()?;
    consistent_hash::of_destination(place.destination_rule(&destination.host)?, destination)
}

/// The cluster of a destination that names no host; it does not exist, so that requests fail.
const UNKNOWN_SERVICE: &str = "UnknownService";
