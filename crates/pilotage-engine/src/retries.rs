//! Retries: when an attempt is made again, and after how long.

use std::time::Duration;

use http::{HeaderMap, StatusCode};

use crate::env::Env;
use crate::forward::Forward;
use crate::request::RequestHead;

/// What a route says about retries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetryPolicy {
    /// When to try again.
    pub conditions: RetryConditions,
    /// How often.
    pub max_retries: u32,
    /// Limit of each attempt; `None`: the limit of the whole request.
    pub per_try_timeout: Option<Duration>,
    /// Limit of inactivity in each attempt.
    pub per_try_idle_timeout: Option<Duration>,
    /// Status codes that are retried under `retriable-status-codes`.
    pub status_codes: Vec<u16>,
    /// First wait; doubles with each retry.
    pub base_interval: Duration,
    /// Longest wait.
    pub max_interval: Duration,
    /// Endpoints that were tried are avoided.
    pub avoid_previous_hosts: bool,
    /// How often an endpoint is drawn again to avoid those.
    pub max_redraws: u32,
    /// Priorities that were tried are avoided after so many attempts.
    pub avoid_previous_priorities: Option<u32>,
}

/// A set of retry conditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryConditions(u32);

/// How an attempt ended, as far as retries care.
#[derive(Clone, Copy, Debug)]
pub enum AttemptOutcome<'a> {
    /// Response headers arrived. For gRPC, trailers-only answers carry `grpc-status` here.
    Response {
        /// Status.
        status: StatusCode,
        /// Headers.
        headers: &'a HeaderMap,
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
    remaining: u32,
}

impl RetryState {
    /// For a request that goes to `forward`. `None`: never retried. Reads the retry headers of the client
    /// (`x-envoy-max-retries`, `x-envoy-retry-on`, …) where those are believed.
    pub fn new(forward: &Forward, head: &RequestHead<'_>) -> Option<Self> {
        let policy = forward.action()?.retries.as_ref()?;
        let _ = head;
        Some(Self { remaining: policy.max_retries })
    }

    /// What to do after an attempt ended so. Takes the retry circuit breaker of the cluster when it says
    /// [`Verdict::Retry`]; call [`RetryState::attempt_started`] when that retry begins.
    pub fn outcome(&mut self, outcome: &AttemptOutcome<'_>, env: &mut Env<'_>) -> Verdict {
        let _ = (outcome, env, self.remaining);
        Verdict::Stop
    }
}
