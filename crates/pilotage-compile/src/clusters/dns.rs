//! Clusters whose endpoints are names.

use pilotage_model::ProxyView;
use pilotage_proto::envoy::config::cluster::v3::cluster::{
    ClusterDiscoveryType, CustomClusterType, LbPolicy,
};
use pilotage_proto::envoy::config::core::v3::TypedExtensionConfig;
use pilotage_proto::envoy::extensions::clusters::dynamic_forward_proxy::v3::ClusterConfig;
use pilotage_proto::envoy::extensions::clusters::dynamic_forward_proxy::v3::cluster_config::ClusterImplementationSpecifier;
use pilotage_proto::envoy::extensions::network::dns_resolver::cares::v3::CaresDnsResolverConfig;
use pilotage_proto::{Duration, pack};

use super::draft::Draft;
use crate::dns_cache;
use crate::proto_ext::duration;

/// Queries on one socket before another one is used.
const QUERIES_PER_SOCKET: u32 = 100;
/// How far refreshes spread, in nanoseconds.
const JITTER_NANOS: i32 = 100_000_000;

/// Applies how names are resolved.
pub(super) fn apply(draft: &mut Draft, view: &ProxyView) {
    let cluster = &mut draft.cluster;
    cluster.dns_lookup_family = dns_cache::family(view) as i32;
    cluster.dns_jitter = Some(Duration { seconds: 0, nanos: JITTER_NANOS });
    cluster.dns_refresh_rate = view.mesh.config().dns_refresh_rate.map(duration);
    cluster.respect_dns_ttl = true;
    let resolver = CaresDnsResolverConfig {
        udp_max_queries: Some(QUERIES_PER_SOCKET),
        ..CaresDnsResolverConfig::default()
    };
    cluster.typed_dns_resolver_config = Some(TypedExtensionConfig {
        name: "envoy.network.dns_resolver.cares".to_owned(),
        typed_config: Some(pack(&resolver)),
    });
}

/// Makes the cluster resolve the host of each request.
pub(super) fn resolve_each_request(draft: &mut Draft, host: &str, view: &ProxyView) {
    let cache = dns_cache::of_host(view, host);
    let config = ClusterConfig {
        cluster_implementation_specifier: Some(ClusterImplementationSpecifier::DnsCacheConfig(
            cache,
        )),
    };
    draft.cluster.cluster_discovery_type =
        Some(ClusterDiscoveryType::ClusterType(CustomClusterType {
            name: "envoy.clusters.dynamic_forward_proxy".to_owned(),
            typed_config: Some(pack(&config)),
        }));
    draft.cluster.lb_policy = LbPolicy::ClusterProvided as i32;
}
