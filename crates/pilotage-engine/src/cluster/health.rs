//! The changing health of a cluster's endpoints: what attempts tell, and what is looked after now and then.

use std::sync::{Arc, TryLockError};
use std::time::Duration;

use super::ClusterTable;
use crate::endpoint::{Endpoint, Health};
use crate::env::Env;
use crate::live_state::EndpointState;
use crate::outlier_detection::{Court, HostResult, Suspects, reinstate};

impl ClusterTable {
    /// Counts how an attempt at an endpoint went. What is suspicious is to be judged, which needs the time and is
    /// therefore another call.
    pub fn note(&self, endpoint: &EndpointState, result: HostResult) -> Suspects {
        match &self.settings.outlier_detection {
            Some(settings) => endpoint.outlier.note(settings, result),
            None => Suspects::default(),
        }
    }

    /// Ejects an endpoint that [`ClusterTable::note`] found suspicious, as far as the settings allow. Rare; takes the
    /// cluster's lock.
    pub fn judge(&self, endpoint: &EndpointState, suspects: Suspects, env: &mut Env<'_>) {
        let Some(settings) = &self.settings.outlier_detection else { return };
        let alone = self.state.lock_sweep();
        let set = self.endpoints.load_full();
        let members = distinct(set.members());
        let court = Court { settings, totals: &self.state.outliers, members: &members };
        let ejected = court.judge(endpoint, suspects, env);
        if ejected {
            self.state.note_health_change();
        }
        drop(alone);
        if ejected {
            self.follow_health();
        }
    }

    /// What has to be done from time to time, by whoever has a clock: ends ejections, compares success rates, notices
    /// new endpoints, forgets requests that a retry budget no longer counts. Returns when it wants to be called again,
    /// if at all; calls in between do no harm.
    pub fn look_after(&self, env: &mut Env<'_>) -> Option<Duration> {
        self.greet_arrivals(env.now);
        let next = self.sweep(env);
        self.follow_health();
        let budget = self.settings.circuit_breakers.retry_budget.as_ref();
        let window = budget.and_then(|budget| budget.interval);
        let window = window.map(|interval| self.state.move_window(interval, env.now));
        next.into_iter().chain(window).min()
    }

    fn sweep(&self, env: &mut Env<'_>) -> Option<Duration> {
        let mut next = self.state.lock_sweep();
        let set = self.endpoints.load();
        let Some(settings) = &self.settings.outlier_detection else {
            // Detection was switched off: whoever is out comes back.
            if self.state.outliers.active.get() > 0 {
                for member in set.iter() {
                    reinstate(&member.state, &self.state.outliers, env.now);
                }
                self.state.note_health_change();
            }
            *next = None;
            return None;
        };
        // A changed interval counts from the next sweep on, but none is waited for longer than it says.
        let latest = env.now.saturating_add(settings.interval);
        let due = next.unwrap_or(latest).min(latest);
        if env.now < due {
            *next = Some(due);
            return *next;
        }
        let members = distinct(set.members());
        let court = Court { settings, totals: &self.state.outliers, members: &members };
        if court.sweep(env) {
            self.state.note_health_change();
        }
        *next = Some(latest);
        *next
    }

    /// Begins to count the time in service of endpoints that nobody has seen yet, for slow start.
    pub(crate) fn greet_arrivals(&self, now: Duration) {
        let set = self.endpoints.load();
        if !set.has_unseen() {
            return;
        }
        set.unseen.store(false, std::sync::atomic::Ordering::Relaxed);
        for endpoint in set.iter().filter(|e| set.health(e) == Health::Healthy) {
            if endpoint.state.begin_service(now) {
                self.state.note_arrival(now);
            }
        }
    }

    /// Shows the health that endpoints have now, unless it is shown already, or somebody else is at it.
    pub(super) fn follow_health(&self) {
        let _alone = match self.replacing.try_lock() {
            Ok(alone) => alone,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        // Read before the health itself, so that what changes meanwhile is noticed later.
        let generation = self.state.health_generation();
        let set = self.endpoints.load();
        if set.generation != generation {
            self.endpoints.store(Arc::new(set.rebuilt(generation)));
        }
    }
}

/// The endpoints, those that share one state once.
fn distinct(members: &[Arc<Endpoint>]) -> Vec<Arc<Endpoint>> {
    let mut seen = std::collections::BTreeSet::new();
    members.iter().filter(|member| seen.insert(member.address.clone())).cloned().collect()
}
