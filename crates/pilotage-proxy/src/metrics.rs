//! Metrics: one shard per worker, written without locks by its worker alone, summed up when somebody asks.

mod cluster;
mod counter;
mod exposition;
mod labels;
mod outliers;
mod requests;
mod routes;
mod tcp;
mod upstream;
mod upstream_requests;

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pilotage_engine::Tables;
use pilotage_engine::route::RouteEntry;

pub(crate) use cluster::ClusterStats;
pub(crate) use counter::Counter;
pub use requests::Source;
pub(crate) use requests::{Destination, RequestKey, RequestSeries};
pub(crate) use routes::Counts;
use routes::{RouteKey, RouteStats};
pub(crate) use tcp::{TcpKey, TcpSeries};
pub(crate) use upstream_requests::UpstreamRequests;

/// All shards; what a scrape reads.
#[derive(Debug, Default)]
pub struct Registry {
    shards: Mutex<Vec<Arc<Shard>>>,
}

/// What one worker counts. Its worker writes; scrapes read.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    requests: Mutex<Vec<Arc<RequestSeries>>>,
    tcp: Mutex<Vec<Arc<TcpSeries>>>,
    clusters: Mutex<Vec<Arc<ClusterStats>>>,
    routes: Mutex<Vec<Arc<RouteStats>>>,
    pub(crate) connections: ConnectionStats,
}

/// Client connections of one worker.
#[derive(Debug, Default)]
pub(crate) struct ConnectionStats {
    pub(crate) total: Counter,
    pub(crate) active: Counter,
    pub(crate) protocol_errors: Counter,
    pub(crate) tls_errors: Counter,
}

/// The metrics of one worker, with the series it has used before at hand.
#[derive(Debug)]
pub(crate) struct WorkerMetrics {
    pub(crate) shard: Arc<Shard>,
    source: Arc<Source>,
    requests: Known<RequestKey, RequestSeries>,
    tcp: Known<TcpKey, TcpSeries>,
    clusters: Known<Arc<str>, ClusterStats>,
    routes: Known<RouteKey, RouteStats>,
}

/// What a worker has counted in before, by key.
type Known<K, S> = RefCell<HashMap<K, Arc<S>, foldhash::fast::RandomState>>;

impl Registry {
    /// A new shard, for a worker whose requests come from `source`.
    pub(crate) fn worker(&self, source: Arc<Source>) -> WorkerMetrics {
        let shard = Arc::new(Shard::default());
        lock(&self.shards).push(Arc::clone(&shard));
        WorkerMetrics {
            shard,
            source,
            requests: RefCell::default(),
            tcp: RefCell::default(),
            clusters: RefCell::default(),
            routes: RefCell::default(),
        }
    }

    /// Everything in the Prometheus text format, and how the clusters of `tables` are.
    /// `now` is as [`pilotage_engine::Env::now`].
    pub fn prometheus(&self, tables: &Tables, now: Duration) -> String {
        exposition::prometheus(&lock(&self.shards), tables, now)
    }

    /// The same in the form of Envoy's `/stats`: `name: value` lines, sorted.
    pub fn stats(&self, tables: &Tables) -> String {
        exposition::stats(&lock(&self.shards), tables)
    }
}

impl WorkerMetrics {
    /// The series of `key`; `destination` is asked for its labels when the series is new.
    pub(crate) fn requests(
        &self,
        key: &RequestKey,
        destination: impl FnOnce() -> Destination,
    ) -> Arc<RequestSeries> {
        find(&self.requests, &self.shard.requests, key, || {
            RequestSeries::new(key, &self.source, &destination())
        })
    }

    /// The series of `key` among TCP connections; `destination` is asked for its labels when the series is new.
    pub(crate) fn tcp(
        &self,
        key: &TcpKey,
        destination: impl FnOnce() -> Destination,
    ) -> Arc<TcpSeries> {
        find(&self.tcp, &self.shard.tcp, key, || TcpSeries::new(key, &self.source, &destination()))
    }

    /// The counters of the cluster `name`.
    pub(crate) fn cluster(&self, name: &Arc<str>) -> Arc<ClusterStats> {
        let new = || ClusterStats::new(Arc::clone(name));
        find(&self.clusters, &self.shard.clusters, name, new)
    }

    /// Where a request to the cluster `name` by `route` is counted.
    pub(crate) fn counts(&self, name: &Arc<str>, route: &RouteEntry) -> Counts {
        let route = routes::key_of(route).map(|key| {
            find(&self.routes, &self.shard.routes, &key, || RouteStats::new(key.clone()))
        });
        Counts { cluster: self.cluster(name), route }
    }
}

/// What `known` has for `key`, else what `new` makes, which scrapes find among `all` from then on.
fn find<K: Clone + Eq + Hash, S>(
    known: &Known<K, S>,
    all: &Mutex<Vec<Arc<S>>>,
    key: &K,
    new: impl FnOnce() -> S,
) -> Arc<S> {
    let mut known = known.borrow_mut();
    if let Some(found) = known.get(key) {
        return Arc::clone(found);
    }
    let new = Arc::new(new());
    lock(all).push(Arc::clone(&new));
    known.insert(key.clone(), Arc::clone(&new));
    new
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use pilotage_engine::Tables;
    use pilotage_engine::response_flag::ResponseFlags;

    use super::{Destination, Registry, RequestKey, Source};

    #[test]
    fn shards_are_summed_up_per_label_set() {
        let registry = Registry::default();
        let source = Arc::new(Source { workload: "web-v1".into(), ..Source::default() });
        let key = RequestKey {
            cluster: Some("outbound|80||a.default.svc.cluster.local".into()),
            status: 200,
            flags: ResponseFlags::NONE,
            grpc_status: None,
        };
        for _ in 0..2 {
            let worker = registry.worker(Arc::clone(&source));
            let name = Arc::from("outbound|80||a.default.svc.cluster.local");
            let series = worker.requests(&key, || {
                Destination::of_cluster("outbound|80||a.default.svc.cluster.local")
            });
            series.record(Duration::from_millis(3), 10, 2000);
            worker.cluster(&name).requests.total.add(1);
        }
        let text = registry.prometheus(&Tables::empty(), Duration::ZERO);
        let total = text.lines().find(|line| line.starts_with("istio_requests_total{")).unwrap();
        assert!(total.ends_with("} 2"), "{total}");
        for label in [
            "reporter=\"source\"",
            "source_workload=\"web-v1\"",
            "destination_service=\"a.default.svc.cluster.local\"",
            "destination_service_name=\"a\"",
            "destination_service_namespace=\"default\"",
            "response_code=\"200\"",
            "response_flags=\"-\"",
            "request_protocol=\"http\"",
        ] {
            assert!(total.contains(label), "{label} in {total}");
        }
        let bucket = |le: &str| {
            text.lines()
                .find(|l| {
                    l.starts_with("istio_request_duration_milliseconds_bucket")
                        && l.contains(&format!("le=\"{le}\""))
                })
                .and_then(|l| l.rsplit(' ').next())
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            (bucket("1"), bucket("5"), bucket("+Inf")),
            ("0".into(), "2".into(), "2".into())
        );
        assert!(text.contains("istio_response_bytes_sum{"), "{text}");
        let stats = registry.stats(&Tables::empty());
        assert!(
            stats.contains("cluster.outbound|80||a.default.svc.cluster.local.upstream_rq_total: 2"),
            "{stats}"
        );
    }
}
