//! Listeners as a table, with istioctl's columns.

use pilotage_proto::envoy::config::core::v3::address::Address as Place;
use pilotage_proto::envoy::config::core::v3::socket_address::PortSpecifier;
use pilotage_proto::envoy::config::core::v3::{Address, CidrRange};
use pilotage_proto::envoy::config::listener::v3::filter::ConfigType;
use pilotage_proto::envoy::config::listener::v3::{FilterChain, FilterChainMatch, Listener};
use pilotage_proto::envoy::config::route::v3::RouteConfiguration;
use pilotage_proto::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, http_connection_manager::RouteSpecifier,
};
use pilotage_proto::envoy::extensions::filters::network::tcp_proxy::v3::{
    TcpProxy, tcp_proxy::ClusterSpecifier,
};
use pilotage_proto::{ResourceSet, unpack};

use super::routes::match_text;
use crate::output::Table;

/// One row for each filter chain, ordered by port, address and kind of match.
pub(super) fn table(resources: &ResourceSet) -> Table<4> {
    let mut table = Table::new(["ADDRESSES", "PORT", "MATCH", "DESTINATION"]);
    let mut listeners: Vec<&Listener> = resources.listeners.values().map(AsRef::as_ref).collect();
    listeners.sort_by_key(|l| (port(l.address.as_ref()), host(l.address.as_ref())));
    for listener in listeners {
        let addresses = addresses(listener);
        let port = match port(listener.address.as_ref()) {
            0 => String::new(),
            port => port.to_string(),
        };
        let chains = listener.filter_chains.iter().map(|chain| (matches(chain), chain));
        let fallback = listener.default_filter_chain.iter().map(|chain| ("ALL".to_owned(), chain));
        for (matches, chain) in chains.chain(fallback) {
            table.push([addresses.clone(), port.clone(), matches, destination(chain)]);
        }
    }
    table
}

fn addresses(listener: &Listener) -> String {
    let more = listener.additional_addresses.iter().map(|a| a.address.as_ref());
    let all: Vec<String> =
        std::iter::once(listener.address.as_ref()).chain(more).map(host).collect();
    all.join(",")
}

/// The IP address or the path of a Unix socket.
fn host(address: Option<&Address>) -> String {
    match address.and_then(|a| a.address.as_ref()) {
        Some(Place::SocketAddress(socket)) => socket.address.clone(),
        Some(Place::Pipe(pipe)) => format!("unix://{}", pipe.path),
        _ => String::new(),
    }
}

/// The port, 0 for a Unix socket.
fn port(address: Option<&Address>) -> u32 {
    match address.and_then(|a| a.address.as_ref()) {
        Some(Place::SocketAddress(socket)) => match socket.port_specifier {
            Some(PortSpecifier::PortValue(port)) => port,
            _ => 0,
        },
        _ => 0,
    }
}

/// The conditions of a chain in few words; `ALL` without any.
fn matches(chain: &FilterChain) -> String {
    let parts = chain.filter_chain_match.as_ref().map(conditions).unwrap_or_default();
    if parts.is_empty() { "ALL".to_owned() } else { parts.join("; ") }
}

fn conditions(matches: &FilterChainMatch) -> Vec<String> {
    let mut parts = Vec::new();
    if !matches.server_names.is_empty() {
        parts.push(format!("SNI: {}", matches.server_names.join(",")));
    }
    if !matches.transport_protocol.is_empty() {
        parts.push(format!("Trans: {}", matches.transport_protocol));
    }
    if !matches.application_protocols.is_empty() {
        parts.push(format!("App: {}", application(&matches.application_protocols)));
    }
    let port = matches.destination_port.as_ref().map(|p| format!(":{p}"));
    let ranges: Vec<String> = matches.prefix_ranges.iter().map(range_text).collect();
    match (ranges.is_empty(), port) {
        (false, port) => {
            parts.push(format!("Addr: {}{}", ranges.join(","), port.unwrap_or_default()));
        }
        (true, Some(port)) => parts.push(format!("Addr: *{port}")),
        (true, None) => {}
    }
    parts
}

/// The two usual lists under the names that people know.
fn application(protocols: &[String]) -> String {
    match protocols.join(",").as_str() {
        "http/1.1,h2c" => "HTTP".to_owned(),
        "istio-http/1.0,istio-http/1.1,istio-h2" => "Istio HTTP".to_owned(),
        other => other.to_owned(),
    }
}

fn range_text(range: &CidrRange) -> String {
    let bits = range.prefix_len.unwrap_or(0);
    let whole = if range.address_prefix.contains(':') { 128 } else { 32 };
    if bits == whole {
        range.address_prefix.clone()
    } else {
        format!("{}/{bits}", range.address_prefix)
    }
}

/// Where a chain leads: a route configuration, a cluster, or inline routes.
fn destination(chain: &FilterChain) -> String {
    let found = chain.filters.iter().rev().find_map(|filter| {
        let Some(ConfigType::TypedConfig(any)) = &filter.config_type else { return None };
        if let Ok(manager) = unpack::<HttpConnectionManager>(any) {
            return Some(http_destination(&manager));
        }
        unpack::<TcpProxy>(any).ok().map(|proxy| tcp_destination(&proxy))
    });
    found.unwrap_or_else(|| "Non-HTTP/Non-TCP".to_owned())
}

fn http_destination(manager: &HttpConnectionManager) -> String {
    match &manager.route_specifier {
        Some(RouteSpecifier::Rds(rds)) => format!("Route: {}", rds.route_config_name),
        Some(RouteSpecifier::RouteConfig(config)) => inline_destination(config),
        _ => "HTTP".to_owned(),
    }
}

/// Inline routes lead to one cluster nearly always, which says more than their paths.
fn inline_destination(config: &RouteConfiguration) -> String {
    use pilotage_proto::envoy::config::route::v3::route::Action;
    use pilotage_proto::envoy::config::route::v3::route_action::ClusterSpecifier;
    let routes: Vec<_> = config.virtual_hosts.iter().flat_map(|host| &host.routes).collect();
    if let [route] = routes.as_slice()
        && let Some(Action::Route(action)) = &route.action
        && let Some(ClusterSpecifier::Cluster(cluster)) = &action.cluster_specifier
    {
        return format!("Cluster: {cluster}");
    }
    let paths: Vec<String> = routes.iter().map(|route| match_text(route)).collect();
    format!("Inline Route: {}", paths.join(", "))
}

fn tcp_destination(proxy: &TcpProxy) -> String {
    match &proxy.cluster_specifier {
        Some(ClusterSpecifier::Cluster(cluster)) if cluster.contains('|') => {
            format!("Cluster: {cluster}")
        }
        Some(ClusterSpecifier::Cluster(cluster)) => cluster.clone(),
        Some(ClusterSpecifier::WeightedClusters(weighted)) => {
            let parts: Vec<String> = weighted
                .clusters
                .iter()
                .map(|part| format!("{} ({})", part.name, part.weight))
                .collect();
            format!("Clusters: {}", parts.join(", "))
        }
        None => "TCP".to_owned(),
    }
}
