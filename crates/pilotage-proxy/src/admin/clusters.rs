//! `/clusters`: every upstream cluster, its limits and what is in use of them, and each endpoint with its live
//! counters, its health, its share of the requests, and what outlier detection has on record.

use std::time::Duration;

use pilotage_engine::circuit_breakers::CircuitBreakers;
use pilotage_engine::cluster::ClusterTable;
use pilotage_engine::endpoint::{Endpoint, Health};
use pilotage_engine::endpoint_set::EndpointSet;
use pilotage_engine::outlier_detection::{Detector, Record};
use serde_json::{Map, Value, json};

use super::AdminState;
use crate::lines::line;

/// In Envoy's text form: `cluster::what::value` lines.
pub(super) fn text(state: &AdminState) -> String {
    let now = state.state.started.elapsed();
    let mut out = String::new();
    for cluster in state.tables.load().clusters() {
        cluster_text(&mut out, cluster, now);
    }
    out
}

fn cluster_text(out: &mut String, cluster: &ClusterTable, now: Duration) {
    let name = cluster.name();
    for (what, value) in limits(&cluster.settings.circuit_breakers) {
        line(out, format_args!("{name}::default_priority::{what}::{value}"));
    }
    for usage in cluster.settings.circuit_breakers.in_use(&cluster.state) {
        let (what, used) = (usage.name, usage.used);
        line(out, format_args!("{name}::default_priority::{what}_in_use::{used}"));
    }
    let set = cluster.endpoints();
    for plan in set.plan() {
        let (priority, percent) = (plan.priority, plan.healthy_percent + plan.degraded_percent);
        line(out, format_args!("{name}::priority_{priority}::traffic_percent::{percent}"));
        line(out, format_args!("{name}::priority_{priority}::panic::{}", plan.panic));
    }
    for (endpoint, share) in set.iter().zip(set.shares()) {
        let address = &endpoint.address;
        let mut line = |what: &str, value: &dyn std::fmt::Display| {
            line(out, format_args!("{name}::{address}::{what}::{value}"));
        };
        for (what, value) in counters(endpoint) {
            line(what, &value);
        }
        line("hostname", &endpoint.hostname);
        line("health_flags", &flags(cluster, endpoint));
        line("weight", &endpoint.weight);
        line("region", &endpoint.locality.region);
        line("zone", &endpoint.locality.zone);
        line("sub_zone", &endpoint.locality.sub_zone);
        line("priority", &endpoint.priority);
        line("traffic_percent", &format_args!("{share:.1}"));
        let record = endpoint.state.outlier.record();
        line("success_rate", &record.success_rate.unwrap_or(-1.0));
        for (detector, count, threshold) in streaks(cluster, endpoint) {
            let so_far = format_args!("{count} of {threshold}");
            line(&format!("outlier::{}", detector.name()), &so_far);
        }
        ledger_text(&record, now, &mut line);
        if record.ejection.is_some() && panics(&set, endpoint) {
            line("outlier::used_because", &TOO_FEW);
        }
    }
}

/// Why somebody who is out gets requests all the same.
const TOO_FEW: &str = "too few endpoints of its priority are healthy, so all are used";

fn panics(set: &EndpointSet, endpoint: &Endpoint) -> bool {
    let priority = usize::try_from(endpoint.priority).ok();
    set.plan().any(|plan| Some(plan.priority) == priority && plan.panic)
}

/// The failures in a row that are on the way to an ejection, and how many it takes.
fn streaks(
    cluster: &ClusterTable,
    endpoint: &Endpoint,
) -> impl Iterator<Item = (Detector, u32, u32)> {
    let settings = cluster.settings.outlier_detection.as_ref();
    Detector::ALL.into_iter().filter_map(move |detector| {
        let threshold = settings?.threshold(detector)?;
        let count = endpoint.state.outlier.in_a_row(detector);
        let counts = threshold.count > 0 && threshold.enforcing_percent > 0 && count > 0;
        counts.then_some((detector, count, threshold.count))
    })
}

/// What outlier detection has on record, if anything.
fn ledger_text(
    record: &Record,
    now: Duration,
    line: &mut impl FnMut(&str, &dyn std::fmt::Display),
) {
    if record.ejections > 0 {
        line("outlier::ejections", &record.ejections);
    }
    if let Some(ejection) = &record.ejection {
        line("outlier::ejected_by", &ejection.detector.name());
        line("outlier::ejected_at_count", &ejection.count);
        line("outlier::ejected_for", &seconds(now.saturating_sub(ejection.since)));
        line("outlier::returns_in", &seconds(ejection.until.saturating_sub(now)));
    }
    if let Some(refusal) = &record.refusal {
        line("outlier::not_ejected_by", &refusal.detector.name());
        line("outlier::not_ejected_at_count", &refusal.count);
        line("outlier::not_ejected_since", &seconds(now.saturating_sub(refusal.at)));
        line("outlier::not_ejected_because", &refusal.reason);
    }
}

/// In Envoy's JSON form, as far as there is something to say, with `outlier_detection` and `traffic_percent` besides.
pub(super) fn json(state: &AdminState) -> Value {
    let now = state.state.started.elapsed();
    let statuses: Vec<Value> =
        state.tables.load().clusters().map(|cluster| cluster_json(cluster, now)).collect();
    json!({"cluster_statuses": statuses})
}

fn cluster_json(cluster: &ClusterTable, now: Duration) -> Value {
    let set = cluster.endpoints();
    let shares = set.shares();
    let hosts: Vec<Value> = set
        .iter()
        .zip(shares)
        .map(|(endpoint, share)| host_json(cluster, endpoint, share, now))
        .collect();
    let thresholds: Map<String, Value> = limits(&cluster.settings.circuit_breakers)
        .map(|(what, value)| (what.to_owned(), value.into()))
        .collect();
    let in_use: Map<String, Value> = cluster
        .settings
        .circuit_breakers
        .in_use(&cluster.state)
        .map(|usage| (usage.name.to_owned(), usage.used.into()))
        .into_iter()
        .collect();
    let plan = set.plan().map(|plan| {
        json!({
            "priority": plan.priority,
            "healthy_percent": plan.healthy_percent,
            "degraded_percent": plan.degraded_percent,
            "panic": plan.panic,
        })
    });
    json!({
        "name": cluster.name(),
        "circuit_breakers": {"thresholds": [thresholds], "in_use": in_use},
        "priorities": plan.collect::<Vec<_>>(),
        "host_statuses": hosts,
    })
}

fn host_json(cluster: &ClusterTable, endpoint: &Endpoint, share: f64, now: Duration) -> Value {
    let stats: Vec<Value> = counters(endpoint)
        .map(|(name, value)| json!({"name": name, "value": value.to_string()}))
        .collect();
    let health = match endpoint.health {
        Health::Healthy => "HEALTHY",
        Health::Degraded => "DEGRADED",
        Health::Unhealthy => "UNHEALTHY",
    };
    let record = endpoint.state.outlier.record();
    let streaks: Map<String, Value> = streaks(cluster, endpoint)
        .map(|(detector, count, of)| {
            (detector.name().to_owned(), json!({"count": count, "of": of}))
        })
        .collect();
    json!({
        "address": endpoint.address.to_string(),
        "hostname": &*endpoint.hostname,
        "stats": stats,
        "health_status": {
            "eds_health_status": health,
            "failed_outlier_check": is_out(cluster, endpoint),
        },
        "success_rate": {"value": record.success_rate.unwrap_or(-1.0)},
        "outlier_detection": ledger_json(&record, now),
        "outlier_streaks": streaks,
        "weight": endpoint.weight,
        "priority": endpoint.priority,
        "traffic_percent": (share * 10.0).round() / 10.0,
        "locality": {
            "region": endpoint.locality.region,
            "zone": endpoint.locality.zone,
            "sub_zone": endpoint.locality.sub_zone,
        },
    })
}

fn ledger_json(record: &Record, now: Duration) -> Value {
    let ejected = record.ejection.map(|ejection| {
        json!({
            "by": ejection.detector.name(),
            "count": ejection.count,
            "for": seconds(now.saturating_sub(ejection.since)),
            "returns_in": seconds(ejection.until.saturating_sub(now)),
        })
    });
    let not_ejected = record.refusal.map(|refusal| {
        json!({
            "by": refusal.detector.name(),
            "count": refusal.count,
            "since": seconds(now.saturating_sub(refusal.at)),
            "because": refusal.reason.to_string(),
        })
    });
    json!({"ejections": record.ejections, "ejected": ejected, "not_ejected": not_ejected})
}

/// A duration as protobuf-JSON has it.
fn seconds(duration: Duration) -> String {
    format!("{:.3}s", duration.as_secs_f64())
}

fn limits(limits: &CircuitBreakers) -> impl Iterator<Item = (&'static str, u32)> {
    [
        ("max_connections", limits.max_connections),
        ("max_pending_requests", limits.max_pending_requests),
        ("max_requests", limits.max_requests),
        ("max_retries", limits.max_retries),
    ]
    .into_iter()
}

fn is_out(cluster: &ClusterTable, endpoint: &Endpoint) -> bool {
    cluster.settings.outlier_detection.is_some() && endpoint.state.outlier.is_ejected()
}

/// Envoy's words for what is wrong with an endpoint.
fn flags(cluster: &ClusterTable, endpoint: &Endpoint) -> String {
    let ejected = if is_out(cluster, endpoint) { "/failed_outlier_check" } else { "" };
    let reported = match endpoint.health {
        Health::Healthy if ejected.is_empty() => "healthy",
        Health::Healthy => "",
        Health::Degraded => "/degraded_eds_health",
        Health::Unhealthy => "/failed_eds_health",
    };
    format!("{ejected}{reported}")
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
    ]
    .into_iter()
}
