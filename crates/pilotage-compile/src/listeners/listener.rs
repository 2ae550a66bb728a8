//! What all listeners have in common: names, addresses, inspection of the first bytes.

use pilotage_model::ProxyView;
use pilotage_proto::envoy::config::core::v3::{Address, TrafficDirection};
use pilotage_proto::envoy::config::listener::v3::listener_filter::ConfigType;
use pilotage_proto::envoy::config::listener::v3::{FilterChain, Listener, ListenerFilter};
use pilotage_proto::envoy::extensions::filters::listener::http_inspector::v3::HttpInspector;
use pilotage_proto::envoy::extensions::filters::listener::original_dst::v3::OriginalDst;
use pilotage_proto::envoy::extensions::filters::listener::original_src::v3::OriginalSrc;
use pilotage_proto::envoy::extensions::filters::listener::proxy_protocol::v3::ProxyProtocol;
use pilotage_proto::envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector;
use pilotage_proto::prost_types::Duration;
use pilotage_proto::{Message, Name, pack};

use crate::address;
use crate::proto_ext::duration;

/// The port of a listener on a Unix socket.
pub(crate) const NO_PORT: u16 = 0;

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// An IP address, or `unix://` and a path.
    pub(crate) bind: String,
    /// The port; [`NO_PORT`] for a path.
    pub(crate) port: u16,
}

impl Place {
    /// The name of the listener there.
    pub(crate) fn name(&self) -> String {
        format!("{}_{}", self.bind, self.port)
    }

    fn address(&self) -> Address {
        match self.bind.strip_prefix("unix://") {
            Some(path) => address::path(path),
            None => address::ip(self.bind.as_str(), self.port),
        }
    }

    /// A listener there without anything else yet.
    pub(crate) fn listener(&self, direction: TrafficDirection) -> Listener {
        Listener {
            name: self.name(),
            address: Some(self.address()),
            traffic_direction: direction.into(),
            ..Listener::default()
        }
    }
}

/// The address that stands for all, in the family of the proxy.
pub(crate) fn wildcard(view: &ProxyView) -> &'static str {
    if view.proxy.is_ipv6_only() { "::" } else { "0.0.0.0" }
}

/// The loopback address in the family of the proxy.
pub(crate) fn loopback(view: &ProxyView) -> &'static str {
    if view.proxy.is_ipv6_only() { "::1" } else { "127.0.0.1" }
}

/// Inspection that takes as long as the client does: nothing but TLS is looked for.
pub(crate) fn await_inspection(listener: &mut Listener) {
    listener.listener_filters_timeout = Some(Duration::default());
    listener.continue_on_listener_filters_timeout = true;
}

/// Sets what sniffing listeners of sidecars have: connections of which nothing can be told in time go on as TCP.
pub(crate) fn limit_inspection(listener: &mut Listener, view: &ProxyView) {
    let limit = view.mesh.config().protocol_detection_timeout;
    listener.listener_filters_timeout = Some(limit.map_or(Duration::default(), duration));
    listener.continue_on_listener_filters_timeout = true;
}

/// Adds the inspectors that the conditions of the chains need.
pub(crate) fn inspect(listener: &mut Listener) {
    let chains = || listener.filter_chains.iter().chain(&listener.default_filter_chain);
    let matches = || chains().filter_map(|chain| chain.filter_chain_match.as_ref());
    let tls = matches().any(|m| !m.server_names.is_empty() || m.transport_protocol == "tls")
        || chains().any(|chain: &FilterChain| chain.transport_socket.is_some());
    let http = matches().any(|m| m.application_protocols.iter().any(|p| p == "h2c"));
    if tls {
        listener.listener_filters.push(tls_inspector());
    }
    if http {
        listener.listener_filters.push(http_inspector());
    }
}

/// Reads server name and offered protocols of TLS connections.
pub(crate) fn tls_inspector() -> ListenerFilter {
    filter("envoy.filters.listener.tls_inspector", &TlsInspector::default())
}

/// Finds out whether plaintext is HTTP.
pub(crate) fn http_inspector() -> ListenerFilter {
    filter("envoy.filters.listener.http_inspector", &HttpInspector::default())
}

/// Finds the address that a redirected connection was made to.
pub(crate) fn original_destination() -> ListenerFilter {
    filter("envoy.filters.listener.original_dst", &OriginalDst::default())
}

/// Keeps the client's address towards the application.
pub(crate) fn original_source() -> ListenerFilter {
    /// The mark of packets that must not be captured again.
    const MARK: u32 = 1337;
    filter("envoy.filters.listener.original_src", &OriginalSrc { mark: MARK })
}

/// Reads the client's address from what a load balancer writes before the connection's own bytes.
pub(crate) fn proxy_protocol() -> ListenerFilter {
    filter("envoy.filters.listener.proxy_protocol", &ProxyProtocol::default())
}

fn filter<M: Message + Name>(name: &str, config: &M) -> ListenerFilter {
    ListenerFilter {
        name: name.to_owned(),
        config_type: Some(ConfigType::TypedConfig(pack(config))),
        ..ListenerFilter::default()
    }
}
