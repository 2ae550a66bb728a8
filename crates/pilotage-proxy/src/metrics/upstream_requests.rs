//! What is counted of requests in the same way for a cluster and for a route.

use super::Counter;

/// Requests of one worker to one cluster, or by one route.
#[derive(Debug, Default)]
pub(crate) struct UpstreamRequests {
    /// Requests on their way, each attempt by itself.
    pub(crate) total: Counter,
    /// Tried again.
    pub(crate) retries: Counter,
    /// Tried again, and that helped.
    pub(crate) retry_successes: Counter,
    /// Tried as often as the route allows.
    pub(crate) limit_exceeded: Counter,
    /// Not tried again because the cluster has no room for retries.
    pub(crate) retry_overflows: Counter,
    /// The time of the whole request was over.
    pub(crate) timeouts: Counter,
}

impl UpstreamRequests {
    /// Envoy's names, and the values.
    pub(super) fn values(&self) -> [(&'static str, u64); 6] {
        [
            ("upstream_rq_retry", self.retries.get()),
            ("upstream_rq_retry_limit_exceeded", self.limit_exceeded.get()),
            ("upstream_rq_retry_overflow", self.retry_overflows.get()),
            ("upstream_rq_retry_success", self.retry_successes.get()),
            ("upstream_rq_timeout", self.timeouts.get()),
            ("upstream_rq_total", self.total.get()),
        ]
    }
}
