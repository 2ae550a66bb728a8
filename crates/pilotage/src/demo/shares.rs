//! The shares that the compiled configuration asks for: what becomes of a plain request for a service.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use pilotage_proto::ResourceSet;
use pilotage_proto::envoy::config::core::v3::address::Address as AddressKind;
use pilotage_proto::envoy::config::core::v3::socket_address::PortSpecifier;
use pilotage_proto::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use pilotage_proto::envoy::config::endpoint::v3::{ClusterLoadAssignment, LbEndpoint};
use pilotage_proto::envoy::config::route::v3::route::Action;
use pilotage_proto::envoy::config::route::v3::route_action::ClusterSpecifier;
use pilotage_proto::envoy::config::route::v3::route_match::PathSpecifier;
use pilotage_proto::envoy::config::route::v3::{Route, RouteAction};

use super::bookinfo::{Addresses, PORT, Workload};

/// The share of each version in percent.
pub(crate) type Shares = BTreeMap<&'static str, f64>;

/// The shares of `service` that `resources` ask for; nothing when plain requests are not simply forwarded.
pub(crate) fn asked(
    resources: &ResourceSet,
    service: &str,
    addresses: &Addresses,
) -> Option<Shares> {
    let routes = resources.routes.get(&PORT.to_string())?;
    let of_service = |domain: &String| domain == service;
    let virtual_host =
        routes.virtual_hosts.iter().find(|host| host.domains.iter().any(of_service))?;
    let route = virtual_host.routes.iter().find(|route| takes_everything(route))?;
    let Some(Action::Route(action)) = &route.action else { return Some(Shares::new()) };
    let mut shares = Shares::new();
    for (cluster, share) in clusters(action)? {
        let Some(endpoints) = resources.endpoints.get(cluster) else { continue };
        let versions = versions(endpoints, addresses);
        for version in &versions {
            *shares.entry(version).or_default() += share * 100.0 / versions.len() as f64;
        }
    }
    Some(shares)
}

fn takes_everything(route: &Route) -> bool {
    route.r#match.as_ref().is_some_and(|it| {
        it.headers.is_empty()
            && it.query_parameters.is_empty()
            && matches!(&it.path_specifier, Some(PathSpecifier::Prefix(prefix)) if prefix == "/")
    })
}

/// The clusters of a route, and the share of each out of one.
fn clusters(action: &RouteAction) -> Option<Vec<(&str, f64)>> {
    match action.cluster_specifier.as_ref()? {
        ClusterSpecifier::Cluster(cluster) => Some(vec![(cluster, 1.0)]),
        ClusterSpecifier::WeightedClusters(weighted) => {
            let weight = |value: Option<u32>| f64::from(value.unwrap_or(0));
            let total: f64 = weighted.clusters.iter().map(|it| weight(it.weight)).sum();
            let share = |value| if total > 0.0 { weight(value) / total } else { 0.0 };
            Some(weighted.clusters.iter().map(|it| (&*it.name, share(it.weight))).collect())
        }
        _ => None,
    }
}

/// The versions behind the endpoints, one entry for each endpoint.
fn versions(endpoints: &ClusterLoadAssignment, addresses: &Addresses) -> Vec<&'static str> {
    let all = endpoints.endpoints.iter().flat_map(|locality| &locality.lb_endpoints);
    let workload = |address: SocketAddr| addresses.iter().find(|(_, known)| **known == address);
    all.filter_map(address)
        .filter_map(workload)
        .map(|(Workload { version, .. }, _)| *version)
        .collect()
}

fn address(endpoint: &LbEndpoint) -> Option<SocketAddr> {
    let Some(HostIdentifier::Endpoint(endpoint)) = &endpoint.host_identifier else { return None };
    let Some(AddressKind::SocketAddress(address)) = &endpoint.address.as_ref()?.address else {
        return None;
    };
    let Some(PortSpecifier::PortValue(port)) = address.port_specifier else { return None };
    Some(SocketAddr::new(address.address.parse().ok()?, u16::try_from(port).ok()?))
}
