//! Endpoints as a table, with istioctl's columns and the plan behind the balancing.

use std::collections::BTreeMap;

use pilotage_engine::{LiveState, Tables};
use pilotage_proto::ResourceSet;
use pilotage_proto::envoy::config::core::v3::HealthStatus;
use pilotage_proto::envoy::config::core::v3::address::Address as Place;
use pilotage_proto::envoy::config::core::v3::socket_address::PortSpecifier;
use pilotage_proto::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use pilotage_proto::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, LbEndpoint, LocalityLbEndpoints,
};

use crate::output::Table;

/// One row for each endpoint of each cluster: istioctl's columns, then what decides its share of the requests, and the
/// share as long as nobody fails. Nothing has been called offline, so no outlier check has failed.
pub(super) fn table(resources: &ResourceSet) -> Table<8> {
    let mut table = Table::new([
        "ENDPOINT",
        "STATUS",
        "OUTLIER CHECK",
        "CLUSTER",
        "PRIORITY",
        "WEIGHT",
        "LOCALITY",
        "TRAFFIC",
    ]);
    // What the engine refuses is reported by other commands; it has no shares here.
    let (tables, _rejections) = Tables::apply(&Tables::empty(), resources, &LiveState::new());
    let inline = resources.clusters.values().filter_map(|cluster| {
        cluster.load_assignment.as_ref().map(|assignment| (cluster.name.as_str(), assignment))
    });
    let eds = resources.endpoints.iter().map(|(name, a)| (name.as_str(), a.as_ref()));
    let mut assignments: Vec<(&str, &ClusterLoadAssignment)> = inline.chain(eds).collect();
    assignments.sort_by_key(|(cluster, _)| *cluster);
    for (cluster, assignment) in assignments {
        let shares = shares(&tables, cluster);
        for group in &assignment.endpoints {
            for endpoint in &group.lb_endpoints {
                let address = address(endpoint);
                let share = shares.get(&address).map(|share| format!("{share:.1}%"));
                let weight = endpoint.load_balancing_weight.unwrap_or(1);
                table.push([
                    address,
                    status(endpoint),
                    "OK".into(),
                    cluster.to_owned(),
                    group.priority.to_string(),
                    weight.to_string(),
                    locality(group),
                    share.unwrap_or_else(|| "-".to_owned()),
                ]);
            }
        }
    }
    table
}

/// The share of each endpoint of `cluster` by its address, in percent.
fn shares(tables: &Tables, cluster: &str) -> BTreeMap<String, f64> {
    let Some(cluster) = tables.cluster(cluster) else { return BTreeMap::new() };
    let set = cluster.endpoints();
    let addresses = set.iter().map(|endpoint| endpoint.address.to_string());
    addresses.zip(set.shares()).collect()
}

/// Region, zone and sub-zone as far as they are known.
fn locality(group: &LocalityLbEndpoints) -> String {
    let locality = group.locality.clone().unwrap_or_default();
    let parts = [locality.region, locality.zone, locality.sub_zone];
    let known: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if known.is_empty() { "-".to_owned() } else { known.join("/") }
}

fn address(endpoint: &LbEndpoint) -> String {
    let Some(HostIdentifier::Endpoint(endpoint)) = &endpoint.host_identifier else {
        return String::new();
    };
    match endpoint.address.as_ref().and_then(|a| a.address.as_ref()) {
        Some(Place::SocketAddress(socket)) => {
            let port = match socket.port_specifier {
                Some(PortSpecifier::PortValue(port)) => port,
                _ => 0,
            };
            if socket.address.contains(':') {
                format!("[{}]:{port}", socket.address)
            } else {
                format!("{}:{port}", socket.address)
            }
        }
        Some(Place::Pipe(pipe)) => format!("unix://{}", pipe.path),
        _ => String::new(),
    }
}

fn status(endpoint: &LbEndpoint) -> String {
    match HealthStatus::try_from(endpoint.health_status) {
        Ok(HealthStatus::Unknown) => "HEALTHY".to_owned(),
        Ok(status) => status.as_str_name().to_owned(),
        Err(_) => endpoint.health_status.to_string(),
    }
}
