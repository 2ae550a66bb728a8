//! Outlier detection: endpoints that keep failing are taken out of the balancing for a while.
//!
//! Every attempt tells how it went ([`HostResult`]). Counting is a few atomic operations ([`Monitor::note`]); only when
//! a detector's threshold is reached somebody judges ([`crate::cluster::ClusterTable::judge`]), under a lock of the
//! cluster that no other request waits for. What was ejected, what was not and why stays readable: the ledger.
//!
//! Monitors belong to the live state of an endpoint, so that ejections outlive every change of the tables.

mod compile;
mod judge;
mod ledger;
mod monitor;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use self::judge::{Court, reinstate};
pub use self::ledger::{Ejection, Record, Refusal, RefusalReason};
pub use self::monitor::{Monitor, Suspects};
use crate::live_state::{Counter, Gauge};

/// What a cluster says about outlier detection, with Envoy's defaults where it says nothing. xDS:
/// `Cluster.outlier_detection`, and `outlier_detection` of the HTTP protocol options.
#[derive(Clone, Debug, PartialEq)]
pub struct OutlierDetection {
    /// Time between two sweeps, which end ejections and compare success rates.
    pub interval: Duration,
    /// How long the first ejection lasts; the second twice as long, and so on.
    pub base_ejection_time: Duration,
    /// No ejection lasts longer than this, apart from the jitter.
    pub max_ejection_time: Duration,
    /// Up to so much longer an ejection may last, drawn at random.
    pub max_ejection_time_jitter: Duration,
    /// The most endpoints of the cluster that may be out at once, in percent.
    pub max_ejection_percent: u32,
    /// One endpoint may be out whatever the percentage says.
    pub always_eject_one_host: bool,
    /// Failures to reach the endpoint count apart from its answers.
    pub split_local_origin: bool,
    /// Answers 5xx in a row, and failures to get an answer unless those are split off.
    pub consecutive_5xx: Threshold,
    /// Answers 502, 503 and 504 in a row, and failures as above.
    pub consecutive_gateway_failure: Threshold,
    /// Failures to reach the endpoint in a row, when they are split off.
    pub consecutive_local_origin_failure: Threshold,
    /// Comparison of success rates; `None` when it would never eject anything.
    pub success_rate: Option<SuccessRate>,
    /// Status codes that count as errors, instead of all 5xx; sorted.
    pub(crate) error_codes: Option<Vec<u16>>,
}

/// When a detector of failures in a row strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// Failures in a row; 0 never strikes.
    pub count: u32,
    /// How often it really ejects when it strikes, in percent.
    pub enforcing_percent: u32,
}

/// How success rates are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SuccessRate {
    /// Endpoints with enough requests that there must be.
    pub minimum_hosts: u32,
    /// Requests that an endpoint must have had since the last sweep.
    pub request_volume: u32,
    /// Standard deviations below the mean at which an endpoint is an outlier, times 1000.
    pub stdev_factor: u32,
    /// How often an outlier by its answers is really ejected, in percent.
    pub enforcing_percent: u32,
    /// How often an outlier by local failures is really ejected, in percent.
    pub enforcing_local_origin_percent: u32,
}

/// How one attempt went, as far as the endpoint is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostResult {
    /// There is a connection for the request. More may follow.
    Connected,
    /// Response headers arrived.
    Answered {
        /// The status.
        status: u16,
        /// `grpc-status` among them, for a gRPC request.
        grpc_status: Option<i32>,
    },
    /// No response headers came in time.
    TimedOut,
    /// No connection could be made, or it broke, or the stream was reset.
    Failed,
}

/// What finds that an endpoint is an outlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detector {
    /// Answers 5xx in a row.
    Consecutive5xx,
    /// Answers 502, 503, 504 in a row.
    ConsecutiveGatewayFailure,
    /// Failures to reach it in a row.
    ConsecutiveLocalOriginFailure,
    /// Fewer good answers than the others.
    SuccessRate,
    /// Reached less often than the others.
    LocalOriginSuccessRate,
}

impl Detector {
    /// All of them, in the order of Envoy's statistics.
    pub const ALL: [Self; 5] = [
        Self::Consecutive5xx,
        Self::ConsecutiveGatewayFailure,
        Self::ConsecutiveLocalOriginFailure,
        Self::SuccessRate,
        Self::LocalOriginSuccessRate,
    ];

    /// Envoy's name, as in `ejections_enforced_consecutive_5xx`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Consecutive5xx => "consecutive_5xx",
            Self::ConsecutiveGatewayFailure => "consecutive_gateway_failure",
            Self::ConsecutiveLocalOriginFailure => "consecutive_local_origin_failure",
            Self::SuccessRate => "success_rate",
            Self::LocalOriginSuccessRate => "local_origin_success_rate",
        }
    }
}

/// What outlier detection did in one cluster, ever. Envoy's `outlier_detection.*`.
#[derive(Debug, Default)]
pub struct Totals {
    /// `ejections_active`: endpoints that are out now.
    pub active: Gauge,
    /// `ejections_enforced_total`: ejections of all kinds.
    pub enforced: Counter,
    /// `ejections_overflow`: ejections given up because too many endpoints were out.
    pub overflow: Counter,
    detected_by: [Counter; 5],
    enforced_by: [Counter; 5],
}

impl Totals {
    /// `ejections_detected_…`: how often `detector` struck, whatever came of it.
    pub fn detected_by(&self, detector: Detector) -> &Counter {
        of(&self.detected_by, detector)
    }

    /// `ejections_enforced_…`: how often an endpoint was ejected because `detector` struck.
    pub fn enforced_by(&self, detector: Detector) -> &Counter {
        of(&self.enforced_by, detector)
    }
}

fn of(counters: &[Counter; 5], detector: Detector) -> &Counter {
    let [five, gateway, local, rate, local_rate] = counters;
    match detector {
        Detector::Consecutive5xx => five,
        Detector::ConsecutiveGatewayFailure => gateway,
        Detector::ConsecutiveLocalOriginFailure => local,
        Detector::SuccessRate => rate,
        Detector::LocalOriginSuccessRate => local_rate,
    }
}

impl OutlierDetection {
    /// How often what `detector` finds is really ejected, in percent.
    pub fn enforcing_percent(&self, detector: Detector) -> u32 {
        if let Some(threshold) = self.threshold(detector) {
            return threshold.enforcing_percent;
        }
        self.success_rate.map_or(0, |rate| match detector {
            Detector::LocalOriginSuccessRate => rate.enforcing_local_origin_percent,
            _ => rate.enforcing_percent,
        })
    }

    /// When `detector` strikes; nothing for those that compare rates.
    pub fn threshold(&self, detector: Detector) -> Option<Threshold> {
        match detector {
            Detector::Consecutive5xx => Some(self.consecutive_5xx),
            Detector::ConsecutiveGatewayFailure => Some(self.consecutive_gateway_failure),
            Detector::ConsecutiveLocalOriginFailure => Some(self.consecutive_local_origin_failure),
            Detector::SuccessRate | Detector::LocalOriginSuccessRate => None,
        }
    }

    /// The status that an answer counts as.
    fn counted_status(&self, status: u16, grpc_status: Option<i32>) -> u16 {
        match &self.error_codes {
            Some(codes) if codes.binary_search(&status).is_ok() => status.max(500),
            Some(_) => 200,
            None => grpc_status.map_or(status, status_of_grpc),
        }
    }

    /// How long the ejection lasts that makes `backoff` in a row, without jitter.
    fn ejection_time(&self, backoff: u32) -> Duration {
        self.base_ejection_time.saturating_mul(backoff).min(self.max_ejection_time)
    }
}

/// The HTTP status that a gRPC status stands for.
fn status_of_grpc(status: i32) -> u16 {
    match status {
        0 => 200,
        1 => 499,
        3 | 9 | 11 => 400,
        4 => 504,
        5 => 404,
        6 | 10 => 409,
        7 => 403,
        8 => 429,
        12 => 501,
        14 => 503,
        16 => 401,
        _ => 500,
    }
}
