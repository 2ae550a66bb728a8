//! The listener that redirected connections of the application arrive at, and what becomes of those to unknown hosts.

use std::sync::Arc;

use pilotage_config::mesh::InterceptionMode;
use pilotage_model::ProxyView;
use pilotage_proto::ResourceSet;
use pilotage_proto::envoy::config::core::v3::TrafficDirection;
use pilotage_proto::envoy::config::listener::v3::{FilterChain, FilterChainMatch};

use super::filter_chain::{Chain, Matches};
use super::listener::{Place, wildcard};
use super::tcp_proxy::cluster_filter;
use crate::clusters::names;
use crate::outbound_policy::{self, OutboundPolicy};

const NAME: &str = "virtualOutbound";

/// Adds the listener, unless nothing is redirected.
pub(crate) fn add(view: &ProxyView, set: &mut ResourceSet) {
    if view.proxy.is_not_captured() {
        return;
    }
    let port = view.mesh.config().proxy_listen_port.unwrap_or_default();
    let Ok(port) = u16::try_from(port) else { return };
    let place = Place { bind: wildcard(view).to_owned(), port };
    let mut listener = place.listener(TrafficDirection::Outbound);
    listener.name = NAME.to_owned();
    listener.use_original_dst = Some(true);
    listener.max_connections_to_accept_per_socket_event = Some(1);
    if view.proxy.interception == Some(InterceptionMode::Tproxy) {
        listener.transparent = Some(true);
    }
    // A connection to the proxy's own port would go round in a circle.
    let itself = Matches { destination_port: Some(port), ..Matches::default() };
    let refuse = Chain {
        name: format!("{NAME}-blackhole"),
        ..Chain::new(itself, vec![cluster_filter(view, names::BLACK_HOLE)])
    };
    let others = Chain {
        name: format!("{NAME}-catchall-tcp"),
        ..Chain::new(Matches::default(), vec![cluster_filter(view, &unknown_hosts(view))])
    };
    listener.filter_chains = vec![refuse.build(), others.build()];
    set.listeners.insert(NAME.to_owned(), Arc::new(listener));
}

/// The last resort of listeners whose chains do not take every connection.
pub(crate) fn fallback_chain(view: &ProxyView) -> FilterChain {
    let chain = Chain {
        name: "PassthroughFilterChain".to_owned(),
        ..Chain::new(Matches::default(), vec![cluster_filter(view, &unknown_hosts(view))])
    };
    FilterChain { filter_chain_match: Some(FilterChainMatch::default()), ..chain.build() }
}

/// The cluster for connections to unknown hosts.
fn unknown_hosts(view: &ProxyView) -> String {
    match outbound_policy::of(view) {
        OutboundPolicy::RegistryOnly => names::BLACK_HOLE.to_owned(),
        // Bytes without a host name can only go where the client meant them to go.
        OutboundPolicy::AllowAny | OutboundPolicy::AllowAnyDynamicDns => {
            names::PASSTHROUGH.to_owned()
        }
        OutboundPolicy::EgressProxy(to) => {
            let port = to.port.map(|port| port.number).unwrap_or_default();
            format!("outbound|{port}|{}|{}", to.subset, to.host)
        }
    }
}
