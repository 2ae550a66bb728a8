//! What all our route configurations have in common.

use pilotage_proto::envoy::config::route::v3::{RouteConfiguration, VirtualHost};

/// The most that a fixed answer may hold, in bytes.
const MAX_DIRECT_RESPONSE_BYTES: u32 = 1024 * 1024;

/// A route configuration as all of ours are.
pub(crate) fn route_configuration(
    name: String,
    mut virtual_hosts: Vec<VirtualHost>,
) -> RouteConfiguration {
    virtual_hosts.shrink_to_fit();
    RouteConfiguration {
        name,
        virtual_hosts,
        // A cluster that does not exist is an error of the request, not of the configuration.
        validate_clusters: Some(false),
        max_direct_response_body_size_bytes: Some(MAX_DIRECT_RESPONSE_BYTES),
        ignore_port_in_host_matching: true,
        ..RouteConfiguration::default()
    }
}
