//! The listener of the explicit HTTP proxy, for applications that are told to use one (`proxyHttpPort` of the mesh).

use std::sync::Arc;

use pilotage_model::{Protocol, ProxyView};
use pilotage_proto::ResourceSet;
use pilotage_proto::envoy::config::core::v3::TrafficDirection;

use super::filter_chain::{Chain, Matches};
use super::http_connection_manager::{Http, Side};
use super::listener::{Place, limit_inspection, loopback};

/// The name of its route configuration.
const ROUTES: &str = "http_proxy";

/// Adds the listener when the mesh names a port.
pub(crate) fn add(view: &ProxyView, set: &mut ResourceSet) {
    let port = view.mesh.config().proxy_http_port.unwrap_or_default();
    let Some(port) = u16::try_from(port).ok().filter(|port| *port > 0) else { return };
    let place = Place { bind: loopback(view).to_owned(), port };
    let mut http = Http::named(Side::Outbound, ROUTES, Protocol::HttpProxy);
    http.is_explicit_proxy = true;
    http.stat_prefix = format!("outbound_{};", place.name());
    let chain = Chain::new(Matches::default(), vec![http.filter(view)]);
    let mut listener = place.listener(TrafficDirection::Outbound);
    listener.max_connections_to_accept_per_socket_event = Some(1);
    listener.filter_chains = vec![Chain { limits_handshake: true, ..chain }.build()];
    limit_inspection(&mut listener, view);
    set.listeners.insert(listener.name.clone(), Arc::new(listener));
}
