//! From YAML to listeners, each written as one line per filter chain.

mod gateway;
mod inbound;
mod outbound;

use pilotage_model::ProxyView;
use pilotage_proto::ResourceSet;
use pilotage_proto::envoy::config::listener::v3::filter::ConfigType;
use pilotage_proto::envoy::config::listener::v3::{FilterChain, Listener};
use pilotage_proto::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, http_connection_manager::RouteSpecifier,
};
use pilotage_proto::envoy::extensions::filters::network::tcp_proxy::v3::{
    TcpProxy, tcp_proxy::ClusterSpecifier,
};
use pilotage_proto::unpack;

/// The listeners of `view` alone.
fn listeners(view: &ProxyView) -> ResourceSet {
    let mut set = ResourceSet::default();
    super::add(view, &mut set);
    set
}

/// The chains of a listener: `conditions -> where to`, the last resort behind `else`. Nothing without the listener.
fn chains(set: &ResourceSet, name: &str) -> Vec<String> {
    let Some(listener) = set.listeners.get(name) else { return Vec::new() };
    let chain = |chain: &FilterChain| format!("{} -> {}", conditions(chain), destination(chain));
    let fallback = listener.default_filter_chain.iter();
    let fallback = fallback.map(|chain| format!("else -> {}", destination(chain)));
    listener.filter_chains.iter().map(chain).chain(fallback).collect()
}

fn names(set: &ResourceSet) -> Vec<&str> {
    set.listeners.keys().map(String::as_str).collect()
}

/// The inspectors of a listener by the last part of their names.
fn inspectors(listener: &Listener) -> Vec<&str> {
    listener.listener_filters.iter().filter_map(|f| f.name.rsplit('.').next()).collect()
}

fn conditions(chain: &FilterChain) -> String {
    let Some(matches) = &chain.filter_chain_match else { return "any".to_owned() };
    let mut parts: Vec<String> = Vec::new();
    parts.extend(matches.destination_port.map(|port| format!("port {port}")));
    let ranges = matches.prefix_ranges.iter();
    parts.extend(ranges.map(|r| format!("{}/{}", r.address_prefix, r.prefix_len.unwrap())));
    parts.extend(matches.server_names.iter().map(|name| format!("sni {name}")));
    if !matches.transport_protocol.is_empty() {
        parts.push(matches.transport_protocol.clone());
    }
    if !matches.application_protocols.is_empty() {
        parts.push(matches.application_protocols.join(","));
    }
    if chain.transport_socket.is_some() {
        parts.push("ends TLS".to_owned());
    }
    parts.join(" ")
}

fn destination(chain: &FilterChain) -> String {
    let Some(ConfigType::TypedConfig(any)) = &chain.filters.last().unwrap().config_type else {
        panic!("{chain:?}")
    };
    if let Ok(manager) = unpack::<HttpConnectionManager>(any) {
        return match manager.route_specifier {
            Some(RouteSpecifier::Rds(rds)) => format!("routes {}", rds.route_config_name),
            Some(RouteSpecifier::RouteConfig(config)) => format!("inline {}", config.name),
            other => panic!("{other:?}"),
        };
    }
    match tcp_proxy(chain).cluster_specifier {
        Some(ClusterSpecifier::Cluster(cluster)) => cluster,
        Some(ClusterSpecifier::WeightedClusters(weighted)) => {
            let parts = weighted.clusters.iter().map(|c| format!("{}={}", c.name, c.weight));
            parts.collect::<Vec<_>>().join(" ")
        }
        None => panic!("{chain:?}"),
    }
}

fn tcp_proxy(chain: &FilterChain) -> TcpProxy {
    match &chain.filters.last().unwrap().config_type {
        Some(ConfigType::TypedConfig(any)) => unpack(any).unwrap(),
        None => panic!("{chain:?}"),
    }
}

fn manager(chain: &FilterChain) -> HttpConnectionManager {
    match &chain.filters.last().unwrap().config_type {
        Some(ConfigType::TypedConfig(any)) => unpack(any).unwrap(),
        None => panic!("{chain:?}"),
    }
}
