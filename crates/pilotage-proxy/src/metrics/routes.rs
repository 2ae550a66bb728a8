//! Counters of routes that ask for their own (`stat_prefix` of `Route`), under Envoy's names.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use pilotage_engine::Tables;
use pilotage_engine::route::RouteEntry;

use super::labels::push_label;
use super::{ClusterStats, Counter, Shard, UpstreamRequests, lock};
use crate::lines::line;

/// Which route: the name of its virtual host, and its prefix. Routes that share both share their counters.
pub(crate) type RouteKey = (Arc<str>, Arc<str>);

/// What one worker counted for one route.
#[derive(Debug)]
pub(crate) struct RouteStats {
    pub(super) key: RouteKey,
    requests: UpstreamRequests,
    /// Answers to clients by status.
    answers: Mutex<BTreeMap<u16, u64>>,
}

/// Where what happens to one request is counted: with its cluster, and with its route if that wants to know.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    pub(crate) cluster: Arc<ClusterStats>,
    pub(crate) route: Option<Arc<RouteStats>>,
}

impl RouteStats {
    pub(super) fn new(key: RouteKey) -> Self {
        Self { key, requests: UpstreamRequests::default(), answers: Mutex::default() }
    }
}

impl Counts {
    /// Counts one more in what is counted for both.
    pub(crate) fn add(&self, counter: impl Fn(&UpstreamRequests) -> &Counter) {
        counter(&self.cluster.requests).add(1);
        if let Some(route) = &self.route {
            counter(&route.requests).add(1);
        }
    }

    /// The client gets this status, of the upstream or in its place.
    pub(crate) fn answered(&self, status: u16) {
        self.cluster.answered(status);
        if let Some(route) = &self.route {
            *lock(&route.answers).entry(status).or_default() += 1;
        }
    }
}

/// The key of a route's own counters, if it wants some.
pub(crate) fn key_of(route: &RouteEntry) -> Option<RouteKey> {
    let wants = !route.stat_prefix.is_empty();
    wants.then(|| (Arc::clone(&route.virtual_host.name), Arc::clone(&route.stat_prefix)))
}

/// Values by name; statuses by their number.
#[derive(Default)]
struct Sums {
    values: BTreeMap<&'static str, u64>,
    answers: BTreeMap<u16, u64>,
}

/// Sums over all shards, and zeros for the routes of `tables` that had no request yet.
fn sums(shards: &[Arc<Shard>], tables: &Tables) -> BTreeMap<RouteKey, Sums> {
    let mut sums: BTreeMap<RouteKey, Sums> = BTreeMap::new();
    for table in tables.route_tables() {
        let routes = table.virtual_hosts().flat_map(|host| &host.routes);
        for key in routes.filter_map(|route| key_of(route)) {
            let values = UpstreamRequests::default().values().into();
            sums.insert(key, Sums { values, ..Sums::default() });
        }
    }
    for shard in shards {
        for route in lock(&shard.routes).iter() {
            let sum = sums.entry(route.key.clone()).or_default();
            for (name, value) in route.requests.values() {
                *sum.values.entry(name).or_default() += value;
            }
            for (status, count) in lock(&route.answers).iter() {
                *sum.answers.entry(*status).or_default() += count;
            }
        }
    }
    sums
}

/// The answers as Envoy counts them: all, by class, by status.
fn answers(sums: &Sums) -> impl Iterator<Item = (String, u64)> + '_ {
    let mut classes: BTreeMap<u16, u64> = BTreeMap::new();
    for (status, count) in &sums.answers {
        *classes.entry(status / 100).or_default() += count;
    }
    let all: u64 = classes.values().sum();
    let completed = (all > 0).then(|| ("upstream_rq_completed".to_owned(), all));
    let classes = classes.into_iter().map(|(class, n)| (format!("upstream_rq_{class}xx"), n));
    let statuses = sums.answers.iter().map(|(status, n)| (format!("upstream_rq_{status}"), *n));
    completed.into_iter().chain(classes).chain(statuses)
}

/// `vhost.NAME.route.PREFIX.COUNTER` and values, as on Envoy's `/stats`.
pub(super) fn stats(shards: &[Arc<Shard>], tables: &Tables) -> BTreeMap<String, u64> {
    let mut lines = BTreeMap::new();
    for ((host, prefix), sums) in sums(shards, tables) {
        let fixed = sums.values.iter().map(|(name, value)| ((*name).to_owned(), *value));
        for (name, value) in fixed.chain(answers(&sums)) {
            lines.insert(format!("vhost.{host}.route.{prefix}.{name}"), value);
        }
    }
    lines
}

/// The same in the Prometheus text format.
pub(super) fn prometheus(shards: &[Arc<Shard>], tables: &Tables, out: &mut String) {
    let mut families: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
    for ((host, prefix), sums) in sums(shards, tables) {
        let mut labels = String::new();
        push_label(&mut labels, "envoy_virtual_host", &host);
        push_label(&mut labels, "envoy_route", &prefix);
        let mut add = |name: &str, labels, value| {
            families.entry(format!("envoy_vhost_route_{name}")).or_default().push((labels, value));
        };
        for (name, value) in &sums.values {
            add(name, labels.clone(), *value);
        }
        for (status, count) in &sums.answers {
            let mut labels = labels.clone();
            push_label(&mut labels, "envoy_response_code", &status.to_string());
            add("upstream_rq", labels, *count);
        }
    }
    for (name, series) in families {
        line(out, format_args!("# TYPE {name} counter"));
        for (labels, value) in series {
            line(out, format_args!("{name}{{{labels}}} {value}"));
        }
    }
}
