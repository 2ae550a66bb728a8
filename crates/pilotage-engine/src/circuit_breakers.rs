//! Circuit breakers: how much a cluster may be given at once.

use std::time::Duration;

use pilotage_proto::envoy::config::cluster::v3::CircuitBreakers as Proto;

use crate::durations::optional;
use crate::live_state::ClusterState;
use crate::rejection::Warnings;

/// Limits of one cluster at default priority. Envoy's defaults apply where nothing is set.
#[derive(Clone, Debug, PartialEq)]
pub struct CircuitBreakers {
    /// Open connections.
    pub max_connections: u32,
    /// Requests waiting for a connection.
    pub max_pending_requests: u32,
    /// Requests in flight.
    pub max_requests: u32,
    /// Retries in flight, unless there is a budget.
    pub max_retries: u32,
    /// Retries in flight as a share of requests in flight.
    pub retry_budget: Option<RetryBudget>,
}

/// A retry budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryBudget {
    /// Percent of active and pending requests that may be retries.
    pub percent: f64,
    /// Retries always allowed.
    pub min_concurrency: u32,
    /// Not the active and pending requests count, but those sent within this time.
    pub interval: Option<Duration>,
}

impl Default for CircuitBreakers {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            max_pending_requests: 1024,
            max_requests: 1024,
            max_retries: 3,
            retry_budget: None,
        }
    }
}

impl CircuitBreakers {
    pub(crate) fn compile(proto: Option<&Proto>, warnings: &mut Warnings) -> Self {
        let mut limits = Self::default();
        let Some(proto) = proto else { return limits };
        if !proto.per_host_thresholds.is_empty() {
            warnings.note("circuit_breakers.per_host_thresholds", "limits per host are not obeyed");
        }
        for (index, threshold) in proto.thresholds.iter().enumerate() {
            if threshold.priority != 0 {
                let path = format!("circuit_breakers.thresholds[{index}].priority");
                warnings.note(&path, "only the default priority is used");
                continue;
            }
            limits.max_connections = threshold.max_connections.unwrap_or(limits.max_connections);
            limits.max_pending_requests =
                threshold.max_pending_requests.unwrap_or(limits.max_pending_requests);
            limits.max_requests = threshold.max_requests.unwrap_or(limits.max_requests);
            limits.max_retries = threshold.max_retries.unwrap_or(limits.max_retries);
            limits.retry_budget = threshold.retry_budget.as_ref().map(|budget| RetryBudget {
                percent: budget.budget_percent.map_or(20.0, |p| p.value),
                min_concurrency: budget.min_retry_concurrency.unwrap_or(3),
                interval: interval(budget.budget_interval.as_ref()),
            });
        }
        limits
    }

    /// How many retries the cluster may have in flight: a fixed number, or a share of its requests.
    pub fn retry_limit(&self, cluster: &ClusterState) -> u32 {
        let Some(budget) = &self.retry_budget else { return self.max_retries };
        let requests = match budget.interval {
            Some(_) => cluster.recent_requests(),
            None => {
                let active = cluster.active_requests.get();
                active.saturating_add(cluster.pending_requests.get())
            }
        };
        let requests = f64::from(requests);
        let share = requests * budget.percent.clamp(0.0, 100.0) / 100.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and a number of requests"
        )]
        let share = share as u32;
        share.max(budget.min_concurrency)
    }

    /// Whether the cluster may get one more request.
    pub fn admit_request(&self, cluster: &ClusterState) -> bool {
        cluster.active_requests.get() < self.max_requests
    }

    /// Every limit, what counts against it now, and Envoy's short name for it.
    pub fn in_use(&self, cluster: &ClusterState) -> [Usage; 4] {
        let usage = |name, used, limit| Usage { name, used, limit };
        [
            usage("cx", cluster.connections.get(), self.max_connections),
            usage("pending", cluster.pending_requests.get(), self.max_pending_requests),
            usage("rq", cluster.active_requests.get(), self.max_requests),
            usage("retries", cluster.retries.get(), self.retry_limit(cluster)),
        ]
    }
}

/// The time of a budget; 0 is none, and so is one that makes no sense, as in Envoy.
fn interval(proto: Option<&pilotage_proto::Duration>) -> Option<Duration> {
    optional("budget_interval", proto).ok().flatten().filter(|interval| !interval.is_zero())
}

/// One limit and what counts against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// `cx`, `pending`, `rq` or `retries`.
    pub name: &'static str,
    /// How many there are.
    pub used: u32,
    /// How many there may be.
    pub limit: u32,
}

impl Usage {
    /// Whether the breaker is open: not one more is let through.
    pub fn is_open(self) -> bool {
        self.used >= self.limit
    }

    /// How many more may come.
    pub fn remaining(self) -> u32 {
        self.limit.saturating_sub(self.used)
    }
}
