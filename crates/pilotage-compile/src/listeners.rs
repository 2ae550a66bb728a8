//! LDS resources: where the proxy listens, which connections each listener takes, and where they go.

mod access_log;
mod explicit_proxy;
mod filter_chain;
mod gateway;
pub(crate) mod http_connection_manager;
mod inbound;
mod listen_addresses;
mod listener;
mod outbound;
mod outbound_tcp;
mod server_tls;
mod tcp_proxy;
mod virtual_inbound;
mod virtual_outbound;

#[cfg(test)]
mod tests;

use pilotage_model::ProxyView;
use pilotage_proto::ResourceSet;

/// Adds the listeners of the proxy.
pub(crate) fn add(view: &ProxyView, set: &mut ResourceSet) {
    if view.proxy.is_sidecar() {
        outbound::add(view, set);
        explicit_proxy::add(view, set);
        virtual_outbound::add(view, set);
        virtual_inbound::add(view, set);
    } else {
        gateway::add(view, set);
    }
}
