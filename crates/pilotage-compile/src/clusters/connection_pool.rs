//! Connections: how long they take, live and idle, and what runs over them.

use pilotage_config::destination_rule::{
    ConnectionPoolSettings, HttpSettings, RetryBudget, TcpKeepalive, TcpSettings,
};
use pilotage_model::Mesh;
use pilotage_proto::envoy::config::cluster::v3::UpstreamConnectionOptions;
use pilotage_proto::envoy::config::core::v3::{KeepaliveSettings, TcpKeepalive as Probes};

use super::draft::Draft;
use super::{circuit_breakers, protocol_options};
use crate::proto_ext::duration;

/// Applies a connection pool; without one there are only defaults.
pub(super) fn apply(
    draft: &mut Draft,
    pool: Option<&ConnectionPoolSettings>,
    budget: Option<&RetryBudget>,
    mesh: &Mesh,
) {
    let tcp = pool.and_then(|pool| pool.tcp.as_ref());
    let http = pool.and_then(|pool| pool.http.as_ref());
    let connect_timeout = tcp.and_then(|tcp| tcp.connect_timeout);
    let connect_timeout = connect_timeout.or(mesh.config().connect_timeout);
    draft.cluster.connect_timeout = connect_timeout.map(duration);
    draft.cluster.circuit_breakers = Some(circuit_breakers::build(pool, budget));
    draft.cluster.upstream_connection_options = keepalive(tcp, mesh);
    common_options(draft, tcp, http);
    if http.is_some_and(|http| http.use_client_protocol) {
        draft.http().upstream_protocol_options = Some(protocol_options::as_client());
    }
}

/// Lifetimes that hold for HTTP/1.1 and HTTP/2.
fn common_options(draft: &mut Draft, tcp: Option<&TcpSettings>, http: Option<&HttpSettings>) {
    let idle = http.and_then(|http| http.idle_timeout);
    let idle = idle.or_else(|| tcp.and_then(|tcp| tcp.idle_timeout));
    let life = tcp.and_then(|tcp| tcp.max_connection_duration);
    let requests = http.and_then(|http| u32::try_from(http.max_requests_per_connection).ok());
    let requests = requests.filter(|requests| *requests > 0);
    let streams = http.is_some_and(|http| http.max_concurrent_streams > 0);
    if idle.is_none() && life.is_none() && requests.is_none() && !streams {
        return;
    }
    let common = draft.http().common_http_protocol_options.get_or_insert_default();
    common.idle_timeout = idle.map(duration);
    common.max_connection_duration = life.map(duration);
    common.max_requests_per_connection = requests;
}

/// Settings of HTTP/2, where it is spoken without asking, also as the result of an upgrade.
pub(super) fn apply_http2(draft: &mut Draft, pool: Option<&ConnectionPoolSettings>) {
    let Some(http) = pool.and_then(|pool| pool.http.as_ref()) else { return };
    let Some(options) = protocol_options::http2_of(draft) else { return };
    let streams = u32::try_from(http.max_concurrent_streams).ok();
    options.max_concurrent_streams = streams.filter(|streams| *streams > 0);
    if let Some(pings) = &http.http2_keep_alive
        && let (Some(interval), Some(timeout)) = (pings.interval, pings.timeout)
    {
        options.connection_keepalive = Some(KeepaliveSettings {
            interval: Some(duration(interval)),
            timeout: Some(duration(timeout)),
            ..KeepaliveSettings::default()
        });
    }
}

/// Probes on idle connections: the rule's laid over the mesh's field by field.
fn keepalive(tcp: Option<&TcpSettings>, mesh: &Mesh) -> Option<UpstreamConnectionOptions> {
    let of_mesh = mesh.config().tcp_keepalive.as_ref();
    let of_rule = tcp.and_then(|tcp| tcp.tcp_keepalive.as_ref());
    if of_mesh.is_none() && of_rule.is_none() {
        return None;
    }
    let mut probes = Probes::default();
    for written in [of_mesh, of_rule].into_iter().flatten() {
        lay_over(&mut probes, written);
    }
    Some(UpstreamConnectionOptions {
        tcp_keepalive: Some(probes),
        ..UpstreamConnectionOptions::default()
    })
}

fn lay_over(probes: &mut Probes, written: &TcpKeepalive) {
    let seconds =
        |span: pilotage_config::Duration| u32::try_from(span.as_nanos() / 1_000_000_000).ok();
    if written.probes > 0 {
        probes.keepalive_probes = Some(written.probes);
    }
    if let Some(time) = written.time {
        probes.keepalive_time = seconds(time);
    }
    if let Some(interval) = written.interval {
        probes.keepalive_interval = seconds(interval);
    }
}
