//! Routes to clusters that are not in the file: with static routes Envoy refuses to start, and so do we.

use std::collections::BTreeMap;

use pilotage_engine::FieldError;
use pilotage_proto::envoy::config::listener::v3::filter::ConfigType;
use pilotage_proto::envoy::config::listener::v3::{FilterChain, Listener};
use pilotage_proto::envoy::config::route::v3::route::Action;
use pilotage_proto::envoy::config::route::v3::route_action::ClusterSpecifier;
use pilotage_proto::envoy::config::route::v3::{RouteAction, RouteConfiguration};
use pilotage_proto::envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
use pilotage_proto::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::RouteSpecifier;
use pilotage_proto::{Name as _, type_name, unpack};

/// The connection managers of `listener`, with their places in it.
pub(super) fn managers(listener: &Listener) -> Vec<(String, HttpConnectionManager)> {
    let numbered = listener.filter_chains.iter().enumerate();
    let chains = numbered.map(|(index, chain)| (format!("filter_chains[{index}]"), chain)).chain(
        listener.default_filter_chain.iter().map(|c| ("default_filter_chain".to_owned(), c)),
    );
    chains.flat_map(|(place, chain)| in_chain(&place, chain)).collect()
}

fn in_chain(place: &str, chain: &FilterChain) -> Vec<(String, HttpConnectionManager)> {
    let filters = chain.filters.iter().enumerate();
    let found = filters.filter_map(|(index, filter)| match &filter.config_type {
        Some(ConfigType::TypedConfig(any))
            if type_name(any) == HttpConnectionManager::full_name() =>
        {
            // A broken one is refused by the engine.
            let manager = unpack(any).ok()?;
            Some((format!("{place}.filters[{index}].typed_config"), manager))
        }
        _ => None,
    });
    found.collect()
}

/// The routes of `listener` that lead to none of `clusters`, unless it says that they may.
pub(super) fn missing<C>(listener: &Listener, clusters: &BTreeMap<String, C>) -> Vec<FieldError> {
    let mut problems = Vec::new();
    for (place, manager) in managers(listener) {
        let Some(RouteSpecifier::RouteConfig(routes)) = &manager.route_specifier else { continue };
        if routes.validate_clusters == Some(false) {
            continue;
        }
        for (path, name) in referred(routes) {
            if !clusters.contains_key(&name) {
                let message = format!("there is no cluster `{name}`");
                problems.push(FieldError::new(path, message).within("route_config").within(&place));
            }
        }
    }
    problems
}

/// Clusters that routes name, and where.
fn referred(routes: &RouteConfiguration) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (host, virtual_host) in routes.virtual_hosts.iter().enumerate() {
        for (index, route) in virtual_host.routes.iter().enumerate() {
            let Some(Action::Route(action)) = &route.action else { continue };
            let place = format!("virtual_hosts[{host}].routes[{index}].route");
            let within = |(path, name)| (format!("{place}.{path}"), name);
            found.extend(of_action(action).into_iter().map(within));
        }
    }
    found
}

fn of_action(action: &RouteAction) -> Vec<(String, String)> {
    let mut found = Vec::new();
    match &action.cluster_specifier {
        Some(ClusterSpecifier::Cluster(name)) => found.push(("cluster".to_owned(), name.clone())),
        Some(ClusterSpecifier::WeightedClusters(weighted)) => {
            for (index, cluster) in weighted.clusters.iter().enumerate() {
                let path = format!("weighted_clusters.clusters[{index}].name");
                found.push((path, cluster.name.clone()));
            }
        }
        Some(_) | None => {}
    }
    for (index, mirror) in action.request_mirror_policies.iter().enumerate() {
        if !mirror.cluster.is_empty() {
            let path = format!("request_mirror_policies[{index}].cluster");
            found.push((path, mirror.cluster.clone()));
        }
    }
    found
}
