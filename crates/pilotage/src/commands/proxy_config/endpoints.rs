//! Endpoints as a table, with istioctl's columns.

use pilotage_proto::ResourceSet;
use pilotage_proto::envoy::config::core::v3::HealthStatus;
use pilotage_proto::envoy::config::core::v3::address::Address as Place;
use pilotage_proto::envoy::config::core::v3::socket_address::PortSpecifier;
use pilotage_proto::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use pilotage_proto::envoy::config::endpoint::v3::{ClusterLoadAssignment, LbEndpoint};

use crate::output::Table;

/// One row for each endpoint of each cluster. Nothing has been called offline, so no outlier check has failed.
pub(super) fn table(resources: &ResourceSet) -> Table<4> {
    let mut table = Table::new(["ENDPOINT", "STATUS", "OUTLIER CHECK", "CLUSTER"]);
    let inline = resources.clusters.values().filter_map(|cluster| {
        cluster.load_assignment.as_ref().map(|assignment| (cluster.name.as_str(), assignment))
    });
    let eds = resources.endpoints.iter().map(|(name, a)| (name.as_str(), a.as_ref()));
    let mut assignments: Vec<(&str, &ClusterLoadAssignment)> = inline.chain(eds).collect();
    assignments.sort_by_key(|(cluster, _)| *cluster);
    for (cluster, assignment) in assignments {
        for endpoint in assignment.endpoints.iter().flat_map(|group| &group.lb_endpoints) {
            table.push([address(endpoint), status(endpoint), "OK".into(), cluster.to_owned()]);
        }
    }
    table
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
