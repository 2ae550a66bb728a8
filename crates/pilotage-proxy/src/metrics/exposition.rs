//! Metrics as text: the Prometheus format, and Envoy's `/stats`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pilotage_engine::Tables;

use super::counter::BOUNDS;
use super::labels::push_label;
use super::upstream::ClusterValues;
use super::{Shard, lock};
use crate::lines::line;

/// Sums of one histogram over all shards.
#[derive(Clone, Default)]
struct Sums {
    counts: [u64; BOUNDS.len() + 1],
    sum: u64,
}

/// Sums of one request label set over all shards.
#[derive(Clone, Default)]
struct Requests {
    total: u64,
    duration: Sums,
    request_bytes: Sums,
    response_bytes: Sums,
}

impl Sums {
    fn add(&mut self, (counts, sum): ([u64; BOUNDS.len() + 1], u64)) {
        for (total, count) in self.counts.iter_mut().zip(counts) {
            *total += count;
        }
        self.sum += sum;
    }
}

/// All metrics in the Prometheus text format, version 0.0.4.
pub(super) fn prometheus(shards: &[Arc<Shard>], tables: &Tables, now: Duration) -> String {
    let requests = requests(shards);
    let mut out = String::new();
    line(&mut out, format_args!("# TYPE istio_requests_total counter"));
    for (labels, sums) in &requests {
        line(&mut out, format_args!("istio_requests_total{{{labels}}} {}", sums.total));
    }
    for (name, of) in [
        ("istio_request_duration_milliseconds", (|r| &r.duration) as fn(&Requests) -> &Sums),
        ("istio_request_bytes", |r| &r.request_bytes),
        ("istio_response_bytes", |r| &r.response_bytes),
    ] {
        line(&mut out, format_args!("# TYPE {name} histogram"));
        for (labels, sums) in &requests {
            histogram(&mut out, name, labels, of(sums));
        }
    }
    for (name, values) in tcp_values(shards) {
        line(&mut out, format_args!("# TYPE {name} counter"));
        for (labels, value) in values {
            line(&mut out, format_args!("{name}{{{labels}}} {value}"));
        }
    }
    for (name, (gauge, values)) in cluster_values(shards, tables) {
        let name = name.replace('.', "_");
        let kind = if gauge { "gauge" } else { "counter" };
        line(&mut out, format_args!("# TYPE envoy_cluster_{name} {kind}"));
        for (cluster, value) in values {
            let mut label = String::new();
            push_label(&mut label, "cluster_name", &cluster);
            line(&mut out, format_args!("envoy_cluster_{name}{{{label}}} {value}"));
        }
    }
    super::outliers::prometheus(tables, now, &mut out);
    super::routes::prometheus(shards, tables, &mut out);
    for (name, gauge, value) in connection_values(shards) {
        let kind = if gauge { "gauge" } else { "counter" };
        line(&mut out, format_args!("# TYPE envoy_http_{name} {kind}"));
        line(&mut out, format_args!("envoy_http_{name} {value}"));
    }
    out
}

/// `name: value` lines, sorted by name.
pub(super) fn stats(shards: &[Arc<Shard>], tables: &Tables) -> String {
    let mut lines = super::routes::stats(shards, tables);
    for (name, (_gauge, values)) in cluster_values(shards, tables) {
        for (cluster, value) in values {
            lines.insert(format!("cluster.{cluster}.{name}"), value);
        }
    }
    for (name, _gauge, value) in connection_values(shards) {
        lines.insert(format!("http.{name}"), value);
    }
    let mut out = String::new();
    for (name, value) in lines {
        line(&mut out, format_args!("{name}: {value}"));
    }
    out
}

fn requests(shards: &[Arc<Shard>]) -> BTreeMap<String, Requests> {
    let mut sums: BTreeMap<String, Requests> = BTreeMap::new();
    for shard in shards {
        for series in lock(&shard.requests).iter() {
            let sum = sums.entry(series.labels.clone()).or_default();
            sum.total += series.total.get();
            sum.duration.add(series.duration.read());
            sum.request_bytes.add(series.request_bytes.read());
            sum.response_bytes.add(series.response_bytes.read());
        }
    }
    sums
}

/// Sums by name and labels.
fn tcp_values(shards: &[Arc<Shard>]) -> BTreeMap<&'static str, BTreeMap<String, u64>> {
    let mut sums: BTreeMap<_, BTreeMap<String, u64>> = BTreeMap::new();
    for shard in shards {
        for series in lock(&shard.tcp).iter() {
            for (name, value) in series.values() {
                let values = sums.entry(name).or_default();
                *values.entry(series.labels.clone()).or_default() += value;
            }
        }
    }
    sums
}

fn cluster_values(shards: &[Arc<Shard>], tables: &Tables) -> ClusterValues {
    let mut sums = super::upstream::values(tables);
    for shard in shards {
        for cluster in lock(&shard.clusters).iter() {
            for (name, gauge, value) in cluster.values() {
                let (_gauge, values) = sums.entry(name).or_insert((gauge, BTreeMap::new()));
                *values.entry(Arc::clone(&cluster.name)).or_default() += value;
            }
        }
    }
    for (_gauge, values) in sums.values_mut() {
        *values = by_stat_name(std::mem::take(values), tables);
    }
    sums
}

/// The values of clusters under their names in statistics; those that share one are added up.
fn by_stat_name(values: BTreeMap<Arc<str>, u64>, tables: &Tables) -> BTreeMap<Arc<str>, u64> {
    let mut sums = BTreeMap::new();
    for (cluster, value) in values {
        let name = tables.cluster(&cluster).map(|table| &table.settings.stat_name);
        *sums.entry(name.map_or(cluster, Arc::clone)).or_default() += value;
    }
    sums
}

fn connection_values(shards: &[Arc<Shard>]) -> [(&'static str, bool, u64); 4] {
    let sum = |of: fn(&Shard) -> u64| shards.iter().map(|shard| of(shard)).sum();
    [
        ("downstream_cx_active", true, sum(|s| s.connections.active.get())),
        ("downstream_cx_protocol_error", false, sum(|s| s.connections.protocol_errors.get())),
        ("downstream_cx_tls_error", false, sum(|s| s.connections.tls_errors.get())),
        ("downstream_cx_total", false, sum(|s| s.connections.total.get())),
    ]
}

fn histogram(out: &mut String, name: &str, labels: &str, sums: &Sums) {
    let mut cumulative = 0;
    for (bound, count) in BOUNDS.iter().map(Some).chain([None]).zip(&sums.counts) {
        cumulative += count;
        match bound {
            Some(bound) => {
                line(out, format_args!("{name}_bucket{{{labels},le=\"{bound}\"}} {cumulative}"));
            }
            None => line(out, format_args!("{name}_bucket{{{labels},le=\"+Inf\"}} {cumulative}")),
        }
    }
    line(out, format_args!("{name}_sum{{{labels}}} {}", sums.sum));
    line(out, format_args!("{name}_count{{{labels}}} {cumulative}"));
}
