//! Clusters towards the proxy's own workload.

use std::collections::BTreeMap;
use std::net::IpAddr;

use pilotage_config::destination_rule::ConnectionPoolSettings;
use pilotage_config::mesh::InboundTrafficMode;
use pilotage_config::sidecar::IngressListener;
use pilotage_model::destination_rule::{DestinationRule, Policy};
use pilotage_model::inbound::Target;
use pilotage_model::{Protocol, ProxyView};
use pilotage_proto::envoy::config::cluster::v3::Cluster;
use pilotage_proto::envoy::config::cluster::v3::cluster::{
    CommonLbConfig, DiscoveryType, LbPolicy,
};
use pilotage_proto::envoy::config::core::v3::Address;
use pilotage_proto::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use pilotage_proto::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints,
};

use super::draft::Draft;
use super::stat_names::{self, Named};
use super::{connection_pool, metadata, names, passthrough, protocol_options};
use crate::address;

/// The clusters of all ports that lead to the workload: those of its services, or those of a `Sidecar` object that
/// lists ports.
pub(super) fn clusters(view: &ProxyView) -> Vec<Cluster> {
    let ingress = view.sidecar.as_ref().map(|sidecar| sidecar.spec.ingress.as_slice());
    match ingress.filter(|ingress| !ingress.is_empty()) {
        Some(ingress) => {
            ingress.iter().filter_map(|listener| of_listener(view, listener)).collect()
        }
        // Without capture the proxy would take the ports of the workload itself.
        None if view.proxy.is_not_captured() => Vec::new(),
        None => of_services(view),
    }
}

/// One cluster for each port of the workload; of several services the oldest decides.
fn of_services(view: &ProxyView) -> Vec<Cluster> {
    let mut by_port: BTreeMap<u16, &Target> = BTreeMap::new();
    for target in view.inbound.targets.iter().filter(|t| t.port.protocol != Protocol::Udp) {
        by_port.entry(target.target_port).or_insert(target);
    }
    let local = view.mesh.inbound_mode() == InboundTrafficMode::Localhost;
    let clusters = by_port.into_iter().map(|(port, target)| {
        let to = local.then(|| {
            let ip = if view.proxy.is_ipv6_only() { "::1" } else { "127.0.0.1" };
            To { address: address::ip(ip, port), is_loopback: true }
        });
        let policy = target.rule.as_deref().map(|rule| of_rule(rule, target.port.number));
        let mut cluster = cluster(view, port, target.port.protocol, to, policy.flatten());
        describe(&mut cluster, view, target);
        cluster
    });
    clusters.collect()
}

/// Says for which service the cluster is, and which destination rule counts for it.
fn describe(cluster: &mut Cluster, view: &ProxyView, target: &Target) {
    cluster.alt_stat_name = stat_name(view, target);
    let mut metadata = metadata::of_service(&target.service);
    if let Some(rule) = &target.rule {
        metadata::add_rule(&mut metadata, &rule.origin, None, None);
    }
    cluster.metadata = Some(metadata);
}

fn stat_name(view: &ProxyView, target: &Target) -> String {
    let named = Named {
        service: &target.service,
        port: &target.port,
        subset: "",
        target: Some(target.target_port),
    };
    stat_names::expand(&view.mesh.config().inbound_cluster_stat_name, &named)
}

fn of_listener(view: &ProxyView, listener: &IngressListener) -> Option<Cluster> {
    let written = listener.port.as_ref()?;
    let port = u16::try_from(written.number).ok()?;
    let protocol = Protocol::parse(&written.protocol);
    let to = default_endpoint(view, &listener.default_endpoint)?;
    // The policy of a service on this port counts here too, by the number that this object gives.
    let target = view.inbound.targets.iter().find(|target| target.target_port == port);
    let rule = target.and_then(|target| target.rule.as_deref());
    let policy = rule.and_then(|rule| of_rule(rule, port));
    let mut cluster = cluster(view, port, protocol, to, policy);
    if let Some(target) = target {
        describe(&mut cluster, view, target);
    }
    Some(cluster)
}

/// Where connections to the workload go when not to the address that was dialled.
struct To {
    address: Address,
    is_loopback: bool,
}

/// Reads `defaultEndpoint`. The outer `None` means that it cannot be read, the inner one the dialled address.
#[expect(clippy::option_option, reason = "unreadable and absent are different answers")]
fn default_endpoint(view: &ProxyView, text: &str) -> Option<Option<To>> {
    if text.is_empty() {
        return Some(None);
    }
    if text.starts_with("unix://") {
        let path = text.trim_start_matches("unix://");
        return Some(Some(To { address: address::path(path), is_loopback: false }));
    }
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    let own = |wanted: fn(&IpAddr) -> bool, otherwise: &str| {
        let own = view.proxy.addresses.iter().find(|ip| wanted(ip));
        own.map_or_else(|| otherwise.to_owned(), ToString::to_string)
    };
    let loopback = if view.proxy.is_ipv6_only() { "::1" } else { "127.0.0.1" };
    let ip = match host.trim_matches(['[', ']']) {
        "0.0.0.0" => own(IpAddr::is_ipv4, "127.0.0.1"),
        "::" => own(IpAddr::is_ipv6, "::1"),
        "127.0.0.1" | "::1" => loopback.to_owned(),
        _ => return Some(None),
    };
    let is_loopback = matches!(ip.as_str(), "127.0.0.1" | "::1");
    Some(Some(To { address: address::ip(ip, port), is_loopback }))
}

fn of_rule(rule: &DestinationRule, port: u16) -> Option<ConnectionPoolSettings> {
    Policy::of_port(rule.traffic_policy.as_deref()?, port).connection_pool
}

fn cluster(
    view: &ProxyView,
    port: u16,
    protocol: Protocol,
    to: Option<To>,
    of_rule: Option<ConnectionPoolSettings>,
) -> Cluster {
    let name = names::inbound(port);
    let discovery = if to.is_some() { DiscoveryType::Static } else { DiscoveryType::OriginalDst };
    let mut draft = Draft::new(name.clone(), discovery);
    draft.cluster.common_lb_config = Some(CommonLbConfig::default());
    protocol_options::by_port(&mut draft, protocol, true);
    let pool = of_sidecar(view, port).or(of_rule);
    connection_pool::apply(&mut draft, pool.as_ref(), None, &view.mesh);
    connection_pool::apply_http2(&mut draft, pool.as_ref());
    protocol_options::spell(&mut draft, protocol, &view.mesh);
    let is_loopback = to.as_ref().is_some_and(|to| to.is_loopback);
    match to {
        Some(to) => draft.cluster.load_assignment = Some(assignment(name, to.address)),
        None => draft.cluster.lb_policy = LbPolicy::ClusterProvided as i32,
    }
    if !is_loopback {
        draft.cluster.upstream_bind_config = Some(passthrough::uncaptured(view));
    }
    draft.finish()
}

/// The connection pool that the `Sidecar` object gives: that of the port, else that of all ports.
fn of_sidecar(view: &ProxyView, port: u16) -> Option<ConnectionPoolSettings> {
    let spec = &view.sidecar.as_ref()?.spec;
    let listener = spec.ingress.iter().find(|listener| {
        listener.port.as_ref().is_some_and(|written| written.number == u32::from(port))
    });
    let of_port = listener.and_then(|listener| listener.connection_pool.clone());
    of_port.or_else(|| spec.inbound_connection_pool.clone())
}

fn assignment(cluster_name: String, address: Address) -> ClusterLoadAssignment {
    let endpoint = Endpoint { address: Some(address), ..Endpoint::default() };
    let endpoint = LbEndpoint {
        host_identifier: Some(HostIdentifier::Endpoint(endpoint)),
        ..LbEndpoint::default()
    };
    let endpoints = vec![LocalityLbEndpoints {
        lb_endpoints: vec![endpoint],
        ..LocalityLbEndpoints::default()
    }];
    ClusterLoadAssignment { cluster_name, endpoints, ..ClusterLoadAssignment::default() }
}
