//! `/clusters`: every upstream cluster, its limits, and each endpoint with its live counters.

use pilotage_engine::cluster::ClusterTable;
use pilotage_engine::endpoint::{Endpoint, Health};
use serde_json::{Value, json};

use super::AdminState;
use super::pages::append;

/// In Envoy's text form: `cluster::what::value` lines.
pub(super) fn text(state: &AdminState) -> String {
    let mut out = String::new();
    for cluster in state.tables.load().clusters() {
        let name = cluster.name();
        let limits = &cluster.settings.circuit_breakers;
        for (what, value) in [
            ("max_connections", limits.max_connections),
            ("max_pending_requests", limits.max_pending_requests),
            ("max_requests", limits.max_requests),
            ("max_retries", limits.max_retries),
        ] {
            append(&mut out, format_args!("{name}::default_priority::{what}::{value}\n"));
        }
        for endpoint in cluster.endpoints().iter() {
            let address = &endpoint.address;
            for (what, value) in counters(endpoint) {
                append(&mut out, format_args!("{name}::{address}::{what}::{value}\n"));
            }
            let flags = match endpoint.health {
                Health::Healthy => "healthy",
                Health::Degraded => "/degraded_eds_health",
                Health::Unhealthy => "/failed_eds_health",
            };
            append(&mut out, format_args!("{name}::{address}::health_flags::{flags}\n"));
        }
    }
    out
}

/// In Envoy's JSON form, as far as there is something to say.
pub(super) fn json(state: &AdminState) -> Value {
    let statuses: Vec<Value> =
        state.tables.load().clusters().map(|cluster| cluster_json(cluster)).collect();
    json!({"cluster_statuses": statuses})
}

fn cluster_json(cluster: &ClusterTable) -> Value {
    let hosts: Vec<Value> = cluster
        .endpoints()
        .iter()
        .map(|endpoint| {
            let stats: Vec<Value> = counters(endpoint)
                .map(|(name, value)| json!({"name": name, "value": value.to_string()}))
                .collect();
            let health = match endpoint.health {
                Health::Healthy => "HEALTHY",
                Health::Degraded => "DEGRADED",
                Health::Unhealthy => "UNHEALTHY",
            };
            json!({
                "address": endpoint.address.to_string(),
                "hostname": &*endpoint.hostname,
                "stats": stats,
                "health_status": {"eds_health_status": health},
                "weight": endpoint.weight,
                "priority": endpoint.priority,
                "locality": {
                    "region": endpoint.locality.region,
                    "zone": endpoint.locality.zone,
                    "sub_zone": endpoint.locality.sub_zone,
                },
            })
        })
        .collect();
    json!({"name": cluster.name(), "host_statuses": hosts})
}

fn counters(endpoint: &Endpoint) -> impl Iterator<Item = (&'static str, u64)> {
    let state = &endpoint.state;
    [
        ("cx_active", u64::from(state.connections.get())),
        ("cx_connect_fail", state.connect_failures_total.get()),
        ("rq_active", u64::from(state.active_requests.get())),
        ("rq_error", state.error_total.get()),
        ("rq_success", state.success_total.get()),
        ("rq_total", state.requests_total.get()),
        ("weight", u64::from(endpoint.weight)),
    ]
    .into_iter()
}
