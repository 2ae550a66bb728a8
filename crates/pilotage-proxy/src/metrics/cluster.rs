//! Counters of one cluster, under Envoy's names.

use std::sync::Arc;

use super::{Counter, UpstreamRequests};

/// What one worker counted for one cluster.
#[derive(Debug)]
pub(crate) struct ClusterStats {
    pub(crate) name: Arc<str>,
    pub(crate) requests: UpstreamRequests,
    /// `upstream_rq_1xx` … `upstream_rq_5xx`
    pub(crate) classes: [Counter; 5],
    /// `upstream_rq_per_try_timeout`
    pub(crate) per_try_timeouts: Counter,
    /// `upstream_rq_pending_overflow`
    pub(crate) overflows: Counter,
    /// `upstream_cx_total`
    pub(crate) connections: Counter,
    /// `upstream_cx_active`
    pub(crate) active_connections: Counter,
    /// `upstream_cx_connect_fail`
    pub(crate) connect_failures: Counter,
    /// `upstream_cx_connect_timeout`
    pub(crate) connect_timeouts: Counter,
    /// `upstream_cx_none_healthy`
    pub(crate) none_healthy: Counter,
    /// `upstream_rq_mirror_dropped`, a name of our own: copies of requests that did not get through, for whichever
    /// reason. Envoy counts the reasons, most of them under the names above, and lets the rest pass silently.
    pub(crate) mirror_drops: Counter,
}

impl ClusterStats {
    pub(crate) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            requests: UpstreamRequests::default(),
            classes: Default::default(),
            per_try_timeouts: Counter::default(),
            overflows: Counter::default(),
            connections: Counter::default(),
            active_connections: Counter::default(),
            connect_failures: Counter::default(),
            connect_timeouts: Counter::default(),
            none_healthy: Counter::default(),
            mirror_drops: Counter::default(),
        }
    }

    /// Counts an answer of this status.
    pub(crate) fn answered(&self, status: u16) {
        if let Some(class) = self.classes.get(usize::from(status / 100).wrapping_sub(1)) {
            class.add(1);
        }
    }

    /// Envoy's names, whether the number goes up and down, and the values.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&'static str, bool, u64)> + '_ {
        const CLASSES: [&str; 5] = [
            "upstream_rq_1xx",
            "upstream_rq_2xx",
            "upstream_rq_3xx",
            "upstream_rq_4xx",
            "upstream_rq_5xx",
        ];
        [
            ("upstream_cx_active", true, &self.active_connections),
            ("upstream_cx_connect_fail", false, &self.connect_failures),
            ("upstream_cx_connect_timeout", false, &self.connect_timeouts),
            ("upstream_cx_none_healthy", false, &self.none_healthy),
            ("upstream_cx_total", false, &self.connections),
            ("upstream_rq_mirror_dropped", false, &self.mirror_drops),
            ("upstream_rq_pending_overflow", false, &self.overflows),
            ("upstream_rq_per_try_timeout", false, &self.per_try_timeouts),
        ]
        .into_iter()
        .chain(CLASSES.into_iter().zip(&self.classes).map(|(name, class)| (name, false, class)))
        .map(|(name, gauge, counter)| (name, gauge, counter.get()))
        .chain(self.requests.values().map(|(name, value)| (name, false, value)))
    }
}
