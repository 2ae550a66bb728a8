//! Headers that proxies add on their own account, as far as routes have a say (`proxyHeaders` of the proxy's settings).

use pilotage_config::mesh::ProxyHeaders;
use pilotage_model::ProxyView;

fn headers(view: &ProxyView) -> Option<&ProxyHeaders> {
    view.mesh.proxy_config()?.proxy_headers.as_ref()
}

/// Whether servers are told the number of the attempt (`x-envoy-attempt-count`).
pub(crate) fn counts_attempts(view: &ProxyView) -> bool {
    let switch = headers(view).and_then(|headers| headers.attempt_count.as_ref());
    switch.and_then(|switch| switch.disabled) != Some(true)
}

/// Whether servers are told the host that a rewrite replaced (`x-forwarded-host`).
pub(crate) fn tells_original_host(view: &ProxyView) -> bool {
    let switch = headers(view).and_then(|headers| headers.x_forwarded_host.as_ref());
    switch.and_then(|switch| switch.enabled) == Some(true)
}
