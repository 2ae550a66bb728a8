//! Gateways between networks, which pass TLS on by nothing but its SNI.

use pilotage_config::gateway::ServerTlsMode;
use pilotage_model::ProxyView;

/// Whether the proxy is one, and so has clusters that are called as such an SNI.
pub(crate) fn has_auto_passthrough(view: &ProxyView) -> bool {
    let mut servers = view.gateways.iter().flat_map(|gateway| &gateway.spec.servers);
    servers.any(|server| {
        server.tls.as_ref().is_some_and(|tls| tls.mode == ServerTlsMode::AutoPassthrough)
    })
}
