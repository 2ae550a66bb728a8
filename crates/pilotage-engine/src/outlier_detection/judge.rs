//! Ejecting, and ending ejections: rare, and under the cluster's own lock.

use std::sync::Arc;
use std::time::Duration;

use super::monitor::Rate;
use super::{Detector, Ejection, OutlierDetection, Refusal, RefusalReason, Suspects, Totals};
use crate::endpoint::Endpoint;
use crate::env::Env;
use crate::live_state::EndpointState;

/// One look at a cluster's endpoints, by whoever holds its lock.
#[derive(Debug)]
pub(crate) struct Court<'c> {
    pub(crate) settings: &'c OutlierDetection,
    pub(crate) totals: &'c Totals,
    /// The endpoints of the cluster, each once.
    pub(crate) members: &'c [Arc<Endpoint>],
}

impl Court<'_> {
    /// Ejects the endpoint of `state` if one of the detectors that struck gets its way. Says whether it was ejected.
    pub(crate) fn judge(
        &self,
        state: &EndpointState,
        suspects: Suspects,
        env: &mut Env<'_>,
    ) -> bool {
        // The endpoint may have left the cluster while its last request was under way.
        let Some(member) = self.members.iter().find(|m| std::ptr::eq(&*m.state, state)) else {
            return false;
        };
        let mut ejected = false;
        for (detector, count) in [suspects.first, suspects.second].into_iter().flatten() {
            if member.state.outlier.is_ejected() {
                break;
            }
            self.totals.detected_by(detector).increase();
            ejected |= self.try_eject(&member.state, detector, count, env);
            member.state.outlier.start_over(detector);
        }
        ejected
    }

    fn try_eject(
        &self,
        state: &EndpointState,
        detector: Detector,
        count: u32,
        env: &mut Env<'_>,
    ) -> bool {
        let settings = self.settings;
        let endpoints = self.members.len();
        let out = self.members.iter().filter(|m| m.state.outlier.is_ejected()).count();
        let at = env.now;
        let refuse = |reason| {
            let mut record = state.outlier.lock();
            // That a detector is off says less than that one which is on did not get its way.
            let is_off = reason == RefusalReason::NotEnforced { enforcing_percent: 0 };
            if !is_off || record.refusal.is_none_or(|known| known.detector == detector) {
                record.refusal = Some(Refusal { detector, count, at, reason });
            }
            false
        };
        let allowed = fits(out, endpoints, settings.max_ejection_percent)
            || (settings.always_eject_one_host && out == 0);
        if !allowed {
            self.totals.overflow.increase();
            let max_percent = settings.max_ejection_percent;
            let reason = RefusalReason::MaxEjectionPercent { ejected: out, endpoints, max_percent };
            return refuse(reason);
        }
        let enforcing_percent = settings.enforcing_percent(detector);
        let enforced = match enforcing_percent {
            0 => false,
            100.. => true,
            percent => env.random() % 100 < u64::from(percent),
        };
        if !enforced {
            return refuse(RefusalReason::NotEnforced { enforcing_percent });
        }
        self.eject(state, detector, count, env);
        true
    }

    fn eject(&self, state: &EndpointState, detector: Detector, count: u32, env: &mut Env<'_>) {
        let settings = self.settings;
        let jitter = millis(settings.max_ejection_time_jitter);
        let jitter = match env.random().checked_rem(jitter.saturating_add(1)) {
            Some(drawn) if jitter > 0 => Duration::from_millis(drawn),
            _ => Duration::ZERO,
        };
        let mut record = state.outlier.lock();
        let so_far = settings.base_ejection_time.saturating_mul(record.backoff);
        let longest = settings.max_ejection_time.saturating_add(settings.base_ejection_time);
        if so_far < longest {
            record.backoff = record.backoff.saturating_add(1);
        }
        record.ejections = record.ejections.saturating_add(1);
        let lasts = settings.ejection_time(record.backoff).saturating_add(jitter);
        let until = env.now.saturating_add(lasts);
        record.refusal = None;
        record.ejection = Some(Ejection { detector, count, since: env.now, until });
        drop(record);
        state.outlier.set_ejected(true);
        self.totals.active.increase();
        self.totals.enforced.increase();
        self.totals.enforced_by(detector).increase();
    }

    /// What is due every interval: ends ejections, compares success rates, forgives. Says whether the health of
    /// anybody changed.
    pub(crate) fn sweep(&self, env: &mut Env<'_>) -> bool {
        let mut changed = false;
        for member in self.members {
            let over = member.state.outlier.lock().ejection.is_some_and(|e| e.until <= env.now);
            if over {
                reinstate(&member.state, self.totals, env.now);
                changed = true;
            }
        }
        changed |= self.compare(Detector::SuccessRate, env);
        changed |= self.compare(Detector::LocalOriginSuccessRate, env);
        for member in self.members.iter().filter(|m| !m.state.outlier.is_ejected()) {
            let mut record = member.state.outlier.lock();
            let calm = record
                .ended
                .is_some_and(|ended| env.now.saturating_sub(ended) >= self.settings.interval);
            if calm {
                record.backoff = record.backoff.saturating_sub(1);
            }
        }
        changed
    }

    /// Ejects the members whose rate of successes is far below the others'.
    fn compare(&self, detector: Detector, env: &mut Env<'_>) -> bool {
        let Some(settings) = &self.settings.success_rate else { return false };
        let rate = |member: &Endpoint| -> (u32, u32) {
            let monitor = &member.state.outlier;
            let rate: &Rate = match detector {
                Detector::LocalOriginSuccessRate => &monitor.reached,
                _ => &monitor.answers,
            };
            rate.take()
        };
        let mut judged = Vec::new();
        for member in self.members {
            let (successes, all) = rate(member);
            let percent = f64::from(successes) * 100.0 / f64::from(all);
            let enough = all > 0 && all >= settings.request_volume;
            let known = (enough && !member.state.outlier.is_ejected()).then_some(percent);
            if detector == Detector::SuccessRate {
                member.state.outlier.lock().success_rate = known;
            }
            if known.is_some() {
                judged.push((member, percent, all));
            }
        }
        let minimum = usize::try_from(settings.minimum_hosts).unwrap_or(usize::MAX);
        if judged.is_empty() || judged.len() < minimum {
            return false;
        }
        let rates: Vec<f64> = judged.iter().map(|(_, percent, _)| *percent).collect();
        let threshold = ejection_threshold(&rates, f64::from(settings.stdev_factor) / 1000.0);
        let mut changed = false;
        for (member, percent, all) in judged {
            if percent < threshold {
                self.totals.detected_by(detector).increase();
                changed |= self.try_eject(&member.state, detector, all, env);
            }
        }
        changed
    }
}

/// Puts an endpoint back in service. Its counts start over, so that few new errors do not eject it again.
pub(crate) fn reinstate(state: &EndpointState, totals: &Totals, now: Duration) {
    let mut record = state.outlier.lock();
    if record.ejection.take().is_none() {
        return;
    }
    record.ended = Some(now);
    drop(record);
    for detector in Detector::ALL {
        state.outlier.start_over(detector);
    }
    state.outlier.set_ejected(false);
    totals.active.decrease();
}

/// Whether one more than `ejected` of `endpoints` is within `max_percent`.
#[expect(clippy::cast_precision_loss, reason = "numbers of endpoints are far below 2^52")]
fn fits(ejected: usize, endpoints: usize, max_percent: u32) -> bool {
    100.0 * (ejected + 1) as f64 / endpoints as f64 <= f64::from(max_percent.min(100))
}

/// The rate below which an endpoint is an outlier: so many standard deviations below the mean.
#[expect(clippy::cast_precision_loss, reason = "numbers of endpoints are far below 2^52")]
fn ejection_threshold(rates: &[f64], deviations: f64) -> f64 {
    let count = rates.len() as f64;
    let mean = rates.iter().sum::<f64>() / count;
    let variance = rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / count;
    mean - deviations * variance.sqrt()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX - 1)
}
