//! The ledger: who is out, since when, until when and why; and why somebody is not.

use std::fmt;
use std::time::Duration;

use super::Detector;

/// What is on record of one endpoint. Times are those of [`crate::Env::now`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The present ejection.
    pub ejection: Option<Ejection>,
    /// Ejections so far, the present one included.
    pub ejections: u32,
    /// How many times the base time the present, or else the last, ejection lasts. Falls by one with each sweep that
    /// finds the endpoint in service.
    pub backoff: u32,
    /// The last time that it was an outlier and stayed in service all the same, since it was last ejected.
    pub refusal: Option<Refusal>,
    /// When the last ejection ended.
    pub ended: Option<Duration>,
    /// Good answers in percent as of the last sweep, where there were enough to tell.
    pub success_rate: Option<f64>,
}

/// An ejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// What found it.
    pub detector: Detector,
    /// Failures in a row, or requests looked at, at that time.
    pub count: u32,
    /// When it began.
    pub since: Duration,
    /// The first sweep after this ends it.
    pub until: Duration,
}

/// An ejection that did not take place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What found it.
    pub detector: Detector,
    /// Failures in a row, or requests looked at, at that time.
    pub count: u32,
    /// When.
    pub at: Duration,
    /// Why it stayed in service.
    pub reason: RefusalReason,
}

/// Why an outlier stays in service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// Too many would be out.
    MaxEjectionPercent {
        /// Endpoints out at that time.
        ejected: usize,
        /// Endpoints of the cluster.
        endpoints: usize,
        /// The most that may be out, in percent.
        max_percent: u32,
    },
    /// The detector is enforced in so many percent of the cases, and this was not one of them.
    NotEnforced {
        /// Percent.
        enforcing_percent: u32,
    },
}

impl RefusalReason {
    /// In one word: the setting that it is due to, or that nothing was to be enforced.
    pub fn name(self) -> &'static str {
        match self {
            Self::MaxEjectionPercent { .. } => "max_ejection_percent",
            Self::NotEnforced { .. } => "not_enforced",
        }
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxEjectionPercent { ejected, endpoints, max_percent } => write!(
                f,
                "{ejected} of {endpoints} endpoints are out, and one more would exceed max_ejection_percent \
                 {max_percent}"
            ),
            Self::NotEnforced { enforcing_percent: 0 } => f.write_str("the detector is off"),
            Self::NotEnforced { enforcing_percent } => {
                write!(f, "the detector is enforced in {enforcing_percent} % of the cases")
            }
        }
    }
}
