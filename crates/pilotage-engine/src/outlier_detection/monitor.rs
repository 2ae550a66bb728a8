//! What is counted for one endpoint.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Detector, HostResult, OutlierDetection, Record};

/// Counts of one endpoint, and its record.
#[derive(Debug, Default)]
pub struct Monitor {
    ejected: AtomicBool,
    answers_5xx: AtomicU32,
    gateway_failures: AtomicU32,
    local_failures: AtomicU32,
    pub(super) answers: Rate,
    pub(super) reached: Rate,
    record: Mutex<Record>,
}

/// Successes of all since the last sweep.
#[derive(Debug, Default)]
pub(super) struct Rate {
    successes: AtomicU32,
    all: AtomicU32,
}

/// Detectors that struck, with the failures in a row that they saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "a suspect is to be judged"]
pub struct Suspects {
    pub(super) first: Option<(Detector, u32)>,
    pub(super) second: Option<(Detector, u32)>,
}

impl Suspects {
    /// Whether nobody struck, as nearly always.
    pub fn is_empty(self) -> bool {
        self.first.is_none() && self.second.is_none()
    }
}

impl Monitor {
    /// Whether the endpoint is out.
    pub fn is_ejected(&self) -> bool {
        self.ejected.load(Ordering::Acquire)
    }

    /// What is on record. Locks: not for requests.
    pub fn record(&self) -> Record {
        self.lock().clone()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_ejected(&self, ejected: bool) {
        self.ejected.store(ejected, Ordering::Release);
    }

    /// Counts how an attempt went. Neither locks nor waits; successes of a healthy endpoint write nothing.
    pub fn note(&self, settings: &OutlierDetection, result: HostResult) -> Suspects {
        let split = settings.split_local_origin;
        match result {
            HostResult::Connected => {
                if split {
                    self.note_reached(settings);
                }
                Suspects::default()
            }
            HostResult::Answered { status, grpc_status } => {
                let status = settings.counted_status(status, grpc_status);
                // Whoever answers well can be reached.
                if split && status < 500 {
                    self.note_reached(settings);
                }
                self.note_status(settings, status)
            }
            HostResult::TimedOut | HostResult::Failed if split => {
                if settings.success_rate.is_some() {
                    self.reached.count(false);
                }
                let first = strikes(
                    &self.local_failures,
                    settings.consecutive_local_origin_failure.count,
                    Detector::ConsecutiveLocalOriginFailure,
                );
                Suspects { first, second: None }
            }
            HostResult::TimedOut => self.note_status(settings, 504),
            HostResult::Failed => self.note_status(settings, 503),
        }
    }

    fn note_status(&self, settings: &OutlierDetection, status: u16) -> Suspects {
        let failed = (500..600).contains(&status);
        if settings.success_rate.is_some() {
            self.answers.count(!failed);
        }
        if !failed {
            reset(&self.answers_5xx);
            reset(&self.gateway_failures);
            return Suspects::default();
        }
        let mut suspects = Suspects::default();
        if (502..=504).contains(&status) {
            suspects.first = strikes(
                &self.gateway_failures,
                settings.consecutive_gateway_failure.count,
                Detector::ConsecutiveGatewayFailure,
            );
        } else {
            reset(&self.gateway_failures);
        }
        suspects.second =
            strikes(&self.answers_5xx, settings.consecutive_5xx.count, Detector::Consecutive5xx);
        suspects
    }

    fn note_reached(&self, settings: &OutlierDetection) {
        if settings.success_rate.is_some() {
            self.reached.count(true);
        }
        reset(&self.local_failures);
    }

    /// Starts the count of a detector over.
    pub(super) fn start_over(&self, detector: Detector) {
        match detector {
            Detector::Consecutive5xx => reset(&self.answers_5xx),
            Detector::ConsecutiveGatewayFailure => reset(&self.gateway_failures),
            Detector::ConsecutiveLocalOriginFailure => reset(&self.local_failures),
            Detector::SuccessRate | Detector::LocalOriginSuccessRate => {}
        }
    }

    /// The failures in a row that a detector has seen so far; 0 for those that compare rates.
    pub fn in_a_row(&self, detector: Detector) -> u32 {
        match detector {
            Detector::Consecutive5xx => self.answers_5xx.load(Ordering::Relaxed),
            Detector::ConsecutiveGatewayFailure => self.gateway_failures.load(Ordering::Relaxed),
            Detector::ConsecutiveLocalOriginFailure => self.local_failures.load(Ordering::Relaxed),
            Detector::SuccessRate | Detector::LocalOriginSuccessRate => 0,
        }
    }
}

/// One failure more; strikes exactly when the threshold is reached.
fn strikes(counter: &AtomicU32, threshold: u32, detector: Detector) -> Option<(Detector, u32)> {
    let count = counter.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    (count == threshold).then_some((detector, count))
}

/// Zero, written only where it is not zero already: workers share these.
fn reset(counter: &AtomicU32) {
    if counter.load(Ordering::Relaxed) != 0 {
        counter.store(0, Ordering::Relaxed);
    }
}

impl Rate {
    fn count(&self, success: bool) {
        self.all.fetch_add(1, Ordering::Relaxed);
        if success {
            self.successes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Successes and all since the last call.
    pub(super) fn take(&self) -> (u32, u32) {
        (self.successes.swap(0, Ordering::Relaxed), self.all.swap(0, Ordering::Relaxed))
    }
}
