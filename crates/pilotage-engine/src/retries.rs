//! Retries: when an attempt is made again, and after how long.

mod conditions;
mod policy;
mod previous_priorities;
#[cfg(test)]
mod tests;
mod tried;

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

pub use self::conditions::RetryConditions;
pub use self::policy::RetryPolicy;
use self::previous_priorities::TriedPriorities;
pub use self::tried::Tried;
use crate::cluster::ClusterTable;
use crate::env::Env;
use crate::forward::Forward;
use crate::headers::Headers;
use crate::request::RequestHead;

/// How an attempt ended, as far as retries care.
#[derive(Clone, Copy, Debug)]
pub enum AttemptOutcome<'a> {
    /// Response headers arrived. For gRPC, trailers-only answers carry `grpc-status` here.
    Response {
        /// Status.
        status: StatusCode,
        /// Headers.
        headers: &'a Headers,
    },
    /// The stream failed before response headers.
    Reset {
        /// Why.
        reason: ResetReason,
        /// Whether any of the request had been sent.
        request_sent: bool,
    },
    /// The attempt's own time limit passed: 504 `UT`.
    PerTryTimeout,
}

/// Why a stream failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetReason {
    /// The connection could not be made.
    ConnectFailure,
    /// Making the connection took too long.
    ConnectTimeout,
    /// The peer refused the stream (HTTP/2 `REFUSED_STREAM`).
    RefusedStream,
    /// The peer reset the stream.
    RemoteReset,
    /// The connection closed.
    ConnectionTermination,
    /// The peer broke the protocol.
    ProtocolError,
    /// A circuit breaker refused the request.
    Overflow,
}

/// What to do after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Try again after this time.
    Retry(Duration),
    /// Pass on what there is.
    Stop,
    /// It would be retried, but the limit of retries is reached: flag `URX`.
    LimitReached,
    /// It would be retried, but the cluster's retry circuit breaker is open: flag `UO`.
    Overflow,
}

/// Retries of one request.
#[derive(Debug)]
pub struct RetryState {
    policy: Arc<RetryPolicy>,
    conditions: RetryConditions,
    /// Status codes that the client asked to be retried, beyond those of the policy.
    client_status_codes: Vec<u16>,
    remaining: u32,
    /// Upper end of the next wait.
    interval: Duration,
    cluster: Arc<ClusterTable>,
    /// Whether a retry is counted against the cluster's limit now.
    counted: bool,
}

impl RetryState {
    /// For a request that goes to `forward`. `None`: never retried. Reads the retry headers of the client
    /// (`x-envoy-max-retries`, `x-envoy-retry-on`, …); those of clients that are not believed were removed before.
    pub fn new(forward: &Forward, head: &RequestHead<'_>) -> Option<Self> {
        let policy = forward.action()?.retries.as_ref()?;
        let mut conditions = policy.conditions;
        if !policy.accepts(head) {
            conditions = RetryConditions::default();
        }
        let text = |name| {
            let value = if forward.steered { head.headers.get(name) } else { None };
            value.and_then(|value| value.to_str().ok())
        };
        for name in ["x-envoy-retry-on", "x-envoy-retry-grpc-on"] {
            if let Some(asked) = text(name) {
                conditions = conditions.union(RetryConditions::parse(asked).0);
            }
        }
        let client_status_codes = text("x-envoy-retriable-status-codes")
            .map(|codes| codes.split(',').filter_map(|code| code.trim().parse().ok()).collect())
            .unwrap_or_default();
        if conditions.is_empty() {
            return None;
        }
        let asked = text("x-envoy-max-retries").and_then(|number| number.parse().ok());
        Some(Self {
            policy: Arc::clone(policy),
            conditions,
            client_status_codes,
            remaining: asked.unwrap_or(policy.max_retries),
            interval: policy.base_interval,
            cluster: Arc::clone(&forward.cluster),
            counted: false,
        })
    }

    /// The policy behind it.
    pub fn policy(&self) -> &RetryPolicy {
        &self.policy
    }

    /// What to do after an attempt ended so. A retry counts against the cluster's limit of retries from here until its
    /// own outcome is reported, or this value is dropped.
    pub fn outcome(&mut self, outcome: &AttemptOutcome<'_>, env: &mut Env<'_>) -> Verdict {
        self.release();
        if !self.wants_retry(outcome) {
            return Verdict::Stop;
        }
        let Some(remaining) = self.remaining.checked_sub(1) else { return Verdict::LimitReached };
        self.remaining = remaining;
        if !self.count() {
            self.cluster.state.overflow_total.increase();
            return Verdict::Overflow;
        }
        self.cluster.state.retries_total.increase();
        Verdict::Retry(self.next_wait(env))
    }

    fn wants_retry(&self, outcome: &AttemptOutcome<'_>) -> bool {
        match outcome {
            AttemptOutcome::Response { status, headers } => {
                let codes = [&self.policy.status_codes, &self.client_status_codes];
                let listed = codes.into_iter().flatten().any(|code| *code == status.as_u16());
                let by_header =
                    self.policy.retriable_headers.iter().any(|h| h.matches_headers(headers));
                self.conditions.take_response(*status, headers, listed, by_header)
            }
            AttemptOutcome::Reset { reason, request_sent } => {
                self.conditions.take_reset(*reason, *request_sent)
            }
            AttemptOutcome::PerTryTimeout => self.conditions.take_timeout(),
        }
    }

    /// A random part of the present interval, which doubles each time up to its limit.
    fn next_wait(&mut self, env: &mut Env<'_>) -> Duration {
        let interval = self.interval;
        self.interval = interval.saturating_mul(2).min(self.policy.max_interval);
        let millis = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(env.random().checked_rem(millis).unwrap_or(0))
    }

    fn count(&mut self) -> bool {
        let limit = self.cluster.settings.circuit_breakers.retry_limit(&self.cluster.state);
        self.counted = self.cluster.state.retries.try_increase(limit);
        self.counted
    }

    fn release(&mut self) {
        if std::mem::take(&mut self.counted) {
            self.cluster.state.retries.decrease();
        }
    }
}

impl Drop for RetryState {
    fn drop(&mut self) {
        self.release();
    }
}
