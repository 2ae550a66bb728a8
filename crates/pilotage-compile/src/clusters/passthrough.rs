//! Clusters for traffic that belongs to no service.

use pilotage_config::Duration;
use pilotage_model::{Protocol, ProxyView};
use pilotage_proto::envoy::config::cluster::v3::Cluster;
use pilotage_proto::envoy::config::cluster::v3::cluster::{DiscoveryType, LbPolicy};
use pilotage_proto::envoy::config::core::v3::{BindConfig, HttpProtocolOptions};

use pilotage_proto::envoy::extensions::upstreams::http::v3 as http;

use super::client_tls::{self, Outsider};
use super::draft::Draft;
use super::{connection_pool, dns, names, protocol_options};
use crate::address;
use crate::proto_ext::duration;

/// Idle connections to unknown destinations are kept this long, in seconds.
const IDLE_SECONDS: i64 = 300;

/// Leads nowhere.
pub(super) fn black_hole(view: &ProxyView) -> Cluster {
    let mut draft = Draft::new(names::BLACK_HOLE.to_owned(), DiscoveryType::Static);
    draft.cluster.connect_timeout = view.mesh.config().connect_timeout.map(duration);
    draft.finish()
}

/// Leads to the address that the client dialled.
pub(super) fn outbound(view: &ProxyView) -> Cluster {
    to_dialled(names::PASSTHROUGH, view)
}

/// Leads to the address of the host that each request names.
pub(super) fn by_name(view: &ProxyView) -> Cluster {
    let name = names::ALLOW_ANY_DYNAMIC_DNS;
    let mut draft = Draft::new(name.to_owned(), DiscoveryType::Static);
    connection_pool::apply(&mut draft, None, None, &view.mesh);
    dns::resolve_each_request(&mut draft, name, view);
    let policy = view.mesh.config().outbound_traffic_policy.as_ref();
    let tls = policy.and_then(|policy| policy.tls.as_ref());
    let outsider = Outsider { view, identities: &[], rule_selects: true };
    client_tls::apply_outside(&mut draft, tls, &outsider);
    draft.finish()
}

/// Leads to the port of the workload that was dialled, from an address that is not captured again.
pub(super) fn inbound(view: &ProxyView) -> Cluster {
    let mut cluster = to_dialled(names::INBOUND_PASSTHROUGH, view);
    cluster.upstream_bind_config = Some(uncaptured(view));
    cluster
}

/// The source address that marks connections from the proxy to its workload.
pub(super) fn uncaptured(view: &ProxyView) -> BindConfig {
    let address = if view.proxy.is_ipv6_only() { "::6" } else { "127.0.0.6" };
    BindConfig { source_address: Some(address::socket(address, 0)) }
}

fn to_dialled(name: &str, view: &ProxyView) -> Cluster {
    let mut draft = Draft::new(name.to_owned(), DiscoveryType::OriginalDst);
    draft.cluster.lb_policy = LbPolicy::ClusterProvided as i32;
    let defaults = view.mesh.config().default_traffic_policy.as_ref();
    let pool = defaults.and_then(|defaults| defaults.connection_pool.as_ref());
    connection_pool::apply(&mut draft, pool, None, &view.mesh);
    // Of the mesh's defaults the limits count, what they say about HTTP does not.
    draft.http = Some(http::HttpProtocolOptions {
        upstream_protocol_options: Some(protocol_options::as_client()),
        common_http_protocol_options: Some(HttpProtocolOptions {
            idle_timeout: Some(duration(Duration::from_secs(IDLE_SECONDS))),
            ..HttpProtocolOptions::default()
        }),
        ..http::HttpProtocolOptions::default()
    });
    protocol_options::spell(&mut draft, Protocol::Auto, &view.mesh);
    draft.finish()
}
