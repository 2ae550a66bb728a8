//! The cache of addresses that the cluster of a wildcard host shares with the filters that fill it.

use pilotage_model::ProxyView;
use pilotage_proto::envoy::config::cluster::v3::cluster::DnsLookupFamily;
use pilotage_proto::envoy::extensions::common::dynamic_forward_proxy::v3::DnsCacheConfig;

/// The cache for a host. Whoever uses it has to describe it in the same way.
pub(crate) fn of_host(view: &ProxyView, host: &str) -> DnsCacheConfig {
    DnsCacheConfig {
        name: format!("{host}_dfp_dns_cache"),
        dns_lookup_family: family(view) as i32,
        ..DnsCacheConfig::default()
    }
}

/// The addresses that the proxy can reach.
pub(crate) fn family(view: &ProxyView) -> DnsLookupFamily {
    if view.proxy.is_ipv6_only() { DnsLookupFamily::V6Only } else { DnsLookupFamily::V4Only }
}
