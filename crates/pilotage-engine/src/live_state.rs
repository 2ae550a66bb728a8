//! What is counted while requests run, and outlives every change of the tables.
//!
//! Tables are immutable and replaced as a whole; these counters are shared with each new generation, so that a change
//! of configuration neither forgets a request in flight nor resets a balancer.

mod recent;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::recent::Recent;
use crate::dns::DnsTarget;
use crate::endpoint::EndpointAddress;
use crate::outlier_detection::{Monitor, Totals};

/// Counters of every cluster, by name. Cheap to share; locked only while tables are built, never by a request.
#[derive(Debug, Default)]
pub struct LiveState {
    clusters: Mutex<BTreeMap<String, Arc<ClusterState>>>,
}

impl LiveState {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The state of cluster `name`, made on first use.
    pub fn cluster(&self, name: &str) -> Arc<ClusterState> {
        let mut clusters = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = clusters.get(name) {
            return Arc::clone(state);
        }
        let state = Arc::new(ClusterState::default());
        clusters.insert(name.to_owned(), Arc::clone(&state));
        state
    }

    /// All clusters with state, by name: what metrics and the admin endpoint show.
    pub fn clusters(&self) -> Vec<(String, Arc<ClusterState>)> {
        let clusters = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
        clusters.iter().map(|(name, state)| (name.clone(), Arc::clone(state))).collect()
    }

    /// Forgets clusters and endpoints that no table and no request holds any more. Called after a table swap.
    pub fn forget_unused(&self) {
        let mut clusters = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
        clusters.retain(|_, state| {
            state.forget_unused();
            Arc::strong_count(state) > 1
        });
    }
}

/// Live counters of one cluster. Gauges are numbers of things alive now; totals only grow.
#[derive(Debug, Default)]
pub struct ClusterState {
    /// Requests sent to an endpoint and not finished.
    pub active_requests: Gauge,
    /// Requests waiting for a connection.
    pub pending_requests: Gauge,
    /// Open upstream connections.
    pub connections: Gauge,
    /// Retries in flight.
    pub retries: Gauge,
    /// Requests ever sent.
    pub requests_total: Counter,
    /// Retries ever made.
    pub retries_total: Counter,
    /// Times a circuit breaker refused something.
    pub overflow_total: Counter,
    /// What outlier detection did.
    pub outliers: Totals,
    /// The requests of the recent past, where somebody asks for them.
    recent: Recent,
    /// Counts changes of the endpoints' health, so that every table notices them.
    health: AtomicU64,
    /// When endpoints are next swept, once a first look has been taken. Whoever holds it is alone in ejecting.
    next_sweep: Mutex<Option<Duration>>,
    /// When an endpoint last began to serve: nanoseconds, as [`crate::Env::now`] counts them, and one.
    last_arrival: AtomicU64,
    endpoints: Mutex<BTreeMap<EndpointAddress, Arc<EndpointState>>>,
    resolved: Mutex<BTreeMap<DnsTarget, Vec<IpAddr>>>,
    /// Answers that were news.
    resolutions: AtomicU64,
}

impl ClusterState {
    /// The state of the endpoint at `address`, made on first use. Locks: for building tables only.
    pub fn endpoint(&self, address: &EndpointAddress) -> Arc<EndpointState> {
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = endpoints.get(address) {
            return Arc::clone(state);
        }
        let state = Arc::new(EndpointState::default());
        endpoints.insert(address.clone(), Arc::clone(&state));
        state
    }

    /// What `target` last resolved to; nothing before the first answer.
    pub(crate) fn resolved(&self, target: &DnsTarget) -> Vec<IpAddr> {
        let resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        resolved.get(target).cloned().unwrap_or_default()
    }

    /// Keeps what `target` resolved to.
    pub(crate) fn set_resolved(&self, target: &DnsTarget, addresses: &[IpAddr]) {
        let mut resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        let before = resolved.insert(target.clone(), addresses.to_vec());
        if before.as_deref() != Some(addresses) {
            self.resolutions.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// How many answers to names have been news so far.
    pub(crate) fn resolutions(&self) -> u64 {
        self.resolutions.load(Ordering::Acquire)
    }

    /// Which state of the endpoints' health this is; another number after each change.
    pub(crate) fn health_generation(&self) -> u64 {
        self.health.load(Ordering::Acquire)
    }

    pub(crate) fn note_health_change(&self) {
        self.health.fetch_add(1, Ordering::Release);
    }

    /// Requests sent within the time that [`ClusterState::move_window`] was last told, give or take a slot.
    pub(crate) fn recent_requests(&self) -> u32 {
        self.recent.count(self.requests_total.get())
    }

    /// Forgets the requests that were sent more than `interval` ago; says when to call again.
    pub(crate) fn move_window(&self, interval: Duration, now: Duration) -> Duration {
        self.recent.advance(self.requests_total.get(), interval, now)
    }

    pub(crate) fn lock_sweep(&self) -> MutexGuard<'_, Option<Duration>> {
        self.next_sweep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When an endpoint last began to serve, if that is known of any.
    pub(crate) fn last_arrival(&self) -> Option<Duration> {
        moment(&self.last_arrival)
    }

    pub(crate) fn note_arrival(&self, now: Duration) {
        self.last_arrival.fetch_max(mark(now), Ordering::Relaxed);
    }

    fn forget_unused(&self) {
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        endpoints.retain(|_, state| Arc::strong_count(state) > 1);
    }
}

/// Live counters of one endpoint of one cluster.
#[derive(Debug, Default)]
pub struct EndpointState {
    /// Requests sent and not finished: what LEAST_REQUEST compares.
    pub active_requests: Gauge,
    /// Open connections.
    pub connections: Gauge,
    /// Requests ever sent.
    pub requests_total: Counter,
    /// Requests answered with anything but a 5xx.
    pub success_total: Counter,
    /// Requests answered with a 5xx, or not at all.
    pub error_total: Counter,
    /// Connections that could not be made.
    pub connect_failures_total: Counter,
    /// What outlier detection knows of it.
    pub outlier: Monitor,
    /// Since when it serves, once somebody has noticed: as in [`ClusterState`].
    in_service_since: AtomicU64,
}

impl EndpointState {
    /// Since when it serves, as [`crate::Env::now`] counts; `None` before somebody has looked.
    pub fn in_service_since(&self) -> Option<Duration> {
        moment(&self.in_service_since)
    }

    /// Begins to count its time in service; says whether that is news.
    pub(crate) fn begin_service(&self, now: Duration) -> bool {
        let since = &self.in_service_since;
        since.compare_exchange(0, mark(now), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// A time as it is kept in an atomic, where 0 is none.
fn mark(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).saturating_add(1)
}

fn moment(mark: &AtomicU64) -> Option<Duration> {
    mark.load(Ordering::Relaxed).checked_sub(1).map(Duration::from_nanos)
}

/// A number of things alive now.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU32);

impl Gauge {
    /// The present value.
    pub fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// One more. Every call is matched by one of [`Gauge::decrease`].
    pub fn increase(&self) -> u32 {
        self.0.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// One less; stays at zero.
    pub fn decrease(&self) {
        let less = |value: u32| Some(value.saturating_sub(1));
        // The closure always gives a value, so this cannot fail.
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok();
    }

    /// One more if that stays within `limit`; circuit breakers ask this.
    pub fn try_increase(&self, limit: u32) -> bool {
        let more = |value: u32| (value < limit).then(|| value.wrapping_add(1));
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The present value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// One more.
    pub fn increase(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts one request against a cluster and an endpoint until dropped.
#[derive(Debug)]
pub struct ActiveRequest {
    cluster: Arc<ClusterState>,
    endpoint: Arc<EndpointState>,
}

impl ActiveRequest {
    /// Starts counting.
    pub fn begin(cluster: &Arc<ClusterState>, endpoint: &Arc<EndpointState>) -> Self {
        cluster.active_requests.increase();
        cluster.requests_total.increase();
        endpoint.active_requests.increase();
        endpoint.requests_total.increase();
        Self { cluster: Arc::clone(cluster), endpoint: Arc::clone(endpoint) }
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &EndpointState {
        &self.endpoint
    }

    /// Notes how the request ended: `status` of the answer, `None` when there was none.
    pub fn ended(&self, status: Option<http::StatusCode>) {
        match status {
            Some(status) if !status.is_server_error() => self.endpoint.success_total.increase(),
            _ => self.endpoint.error_total.increase(),
        }
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.cluster.active_requests.decrease();
        self.endpoint.active_requests.decrease();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{ActiveRequest, Gauge, LiveState};
    use crate::endpoint::EndpointAddress;

    #[test]
    fn a_gauge_respects_its_limit_and_its_floor() {
        let gauge = Gauge::default();
        gauge.decrease();
        assert_eq!(gauge.get(), 0);
        assert!(gauge.try_increase(1));
        assert!(!gauge.try_increase(1));
    }

    #[test]
    fn state_lives_as_long_as_somebody_holds_it() {
        let live = LiveState::new();
        let cluster = live.cluster("a");
        let address = EndpointAddress::Socket(([10, 0, 0, 1], 80).into());
        let request = ActiveRequest::begin(&cluster, &cluster.endpoint(&address));
        live.forget_unused();
        assert_eq!(live.cluster("a").endpoint(&address).active_requests.get(), 1);
        drop((request, cluster));
        live.forget_unused();
        assert!(live.clusters().is_empty());
        assert_eq!(Arc::strong_count(&live.cluster("a")), 2);
    }
}
