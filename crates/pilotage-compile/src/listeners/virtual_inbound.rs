//! The listener that redirected connections to the workload arrive at, and listeners of ports that are not redirected.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilotage_config::mesh::InterceptionMode;
use pilotage_model::{Protocol, ProxyView};
use pilotage_proto::ResourceSet;
use pilotage_proto::envoy::config::core::v3::TrafficDirection;
use pilotage_proto::envoy::config::listener::v3::listener_filter_chain_match_predicate::{
    MatchSet, Rule,
};
use pilotage_proto::envoy::config::listener::v3::{
    FilterChain, Listener, ListenerFilter, ListenerFilterChainMatchPredicate as Predicate,
};
use pilotage_proto::envoy::r#type::v3::Int32Range;

use super::filter_chain::{Chain, Matches};
use super::inbound::{self, InboundPort};
use super::listener::{self, Place, wildcard};
use super::tcp_proxy::cluster_filter;
use crate::clusters::names;

const NAME: &str = "virtualInbound";

/// Adds the listeners.
pub(crate) fn add(view: &ProxyView, set: &mut ResourceSet) {
    let ports = inbound::ports(view);
    let (bound, redirected): (Vec<_>, Vec<_>) =
        ports.into_iter().partition(|port| port.own_listener.is_some());
    for port in &bound {
        if let Some(place) = &port.own_listener {
            let listener = own_listener(view, port, place);
            set.listeners.insert(listener.name.clone(), Arc::new(listener));
        }
    }
    if !view.proxy.is_not_captured()
        && let Some(listener) = shared_listener(view, &bound, &redirected)
    {
        set.listeners.insert(NAME.to_owned(), Arc::new(listener));
    }
}

/// The listener of a port to which clients connect themselves.
fn own_listener(view: &ProxyView, port: &InboundPort, place: &Place) -> Listener {
    let mut listener = place.listener(TrafficDirection::Inbound);
    listener.max_connections_to_accept_per_socket_event = Some(1);
    listener.filter_chains = inbound::chains(view, port).into_iter().map(Chain::build).collect();
    listener::limit_inspection(&mut listener, view);
    add_inspectors(&mut listener);
    listener
}

/// The listener of all redirected connections; nothing when the mesh names no usable port.
fn shared_listener(
    view: &ProxyView,
    bound: &[InboundPort],
    redirected: &[InboundPort],
) -> Option<Listener> {
    let port = view.mesh.config().proxy_inbound_listen_port.unwrap_or_default();
    let port = u16::try_from(port).ok()?;
    let place = Place { bind: wildcard(view).to_owned(), port };
    let mut listener = place.listener(TrafficDirection::Inbound);
    listener.name = NAME.to_owned();
    listener.max_connections_to_accept_per_socket_event = Some(1);
    listener.listener_filters.push(listener::original_destination());
    if view.proxy.interception == Some(InterceptionMode::Tproxy) {
        listener.transparent = Some(true);
        listener.listener_filters.push(listener::original_source());
    }
    // A connection to the proxy's own port would go round in a circle.
    let itself = Matches { destination_port: Some(port), ..Matches::default() };
    let refuse = Chain {
        name: format!("{NAME}-blackhole"),
        ..Chain::new(itself, vec![cluster_filter(view, names::BLACK_HOLE)])
    };
    let mut chains = vec![refuse];
    for others in other_ports(view, bound, redirected) {
        chains.extend(inbound::chains(view, &others));
    }
    for port in redirected {
        chains.extend(inbound::chains(view, port));
    }
    listener.filter_chains = chains.into_iter().map(Chain::build).collect();
    listener::limit_inspection(&mut listener, view);
    add_inspectors(&mut listener);
    Some(listener)
}

/// All ports that nothing is known about, and single ones of them that accept something else than the others.
fn other_ports(
    view: &ProxyView,
    bound: &[InboundPort],
    redirected: &[InboundPort],
) -> Vec<InboundPort> {
    let all = InboundPort {
        port: None,
        service_port: 0,
        operation: ":0".to_owned(),
        protocol: Protocol::Auto,
        cluster: names::INBOUND_PASSTHROUGH.to_owned(),
        accepts: view.accepts.mode,
        tls: None,
        name: NAME.to_owned(),
        origin: None,
        own_listener: None,
    };
    let is_known = |number: u16| bound.iter().chain(redirected).any(|p| p.port == Some(number));
    let single = view.accepts.ports.keys().copied().filter(|port| !is_known(*port));
    let single = single.map(|port| InboundPort {
        port: Some(port),
        accepts: view.accepts.of_port(port),
        ..all.clone()
    });
    std::iter::once(all.clone()).chain(single).collect()
}

/// Which inspectors the chains of a port need.
#[derive(Clone, Copy, Debug, Default)]
struct Needs {
    tls: bool,
    http: bool,
}

/// Adds inspectors, and keeps them from ports that do not need them: there they would wait for bytes that may never
/// come.
fn add_inspectors(listener: &mut Listener) {
    let mut ports: BTreeMap<u16, Needs> = BTreeMap::new();
    for chain in &listener.filter_chains {
        let (port, needs) = needs(chain);
        let known = ports.entry(port).or_default();
        known.tls |= needs.tls;
        known.http |= needs.http;
    }
    let others = ports.get(&0).copied().unwrap_or_default();
    let with = |wanted: fn(&Needs) -> bool, is: bool| -> Vec<u16> {
        let numbers = ports.iter().filter(|(port, needs)| **port != 0 && wanted(needs) == is);
        numbers.map(|(port, _)| *port).collect()
    };
    for (wanted, filter) in [
        ((|needs| needs.tls) as fn(&Needs) -> bool, listener::tls_inspector()),
        (|needs| needs.http, listener::http_inspector()),
    ] {
        if ports.values().any(wanted) {
            let disabled = if wanted(&others) {
                one_of(&with(wanted, false))
            } else {
                // As far as this listener takes other ports at all, they do not need it.
                one_of(&with(wanted, true)).map(not)
            };
            listener.listener_filters.push(ListenerFilter { filter_disabled: disabled, ..filter });
        }
    }
}

fn needs(chain: &FilterChain) -> (u16, Needs) {
    let Some(matches) = &chain.filter_chain_match else { return (0, Needs::default()) };
    let port = matches.destination_port.unwrap_or_default();
    let needs = Needs {
        tls: matches.transport_protocol == super::filter_chain::TLS,
        http: matches.application_protocols.iter().any(|p| p == super::filter_chain::PLAIN_HTTP[0]),
    };
    (u16::try_from(port).unwrap_or_default(), needs)
}

/// Holds on these ports; nothing without any.
fn one_of(ports: &[u16]) -> Option<Predicate> {
    let predicate = |rule| Predicate { rule: Some(rule) };
    let mut ranges: Vec<Predicate> = ports
        .iter()
        .map(|port| Int32Range { start: i32::from(*port), end: i32::from(*port) + 1 })
        .map(|range| predicate(Rule::DestinationPortRange(range)))
        .collect();
    match ranges.len() {
        0 | 1 => ranges.pop(),
        _ => Some(predicate(Rule::OrMatch(MatchSet { rules: ranges }))),
    }
}

fn not(predicate: Predicate) -> Predicate {
    Predicate { rule: Some(Rule::NotMatch(Box::new(predicate))) }
}
