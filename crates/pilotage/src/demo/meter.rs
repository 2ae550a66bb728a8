//! Counting what the demo's requests met: shares, rates, success and latency over the last seconds.
//!
//! Takes the time as an argument.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::histogram::Histogram;

/// How far back the figures reach.
const WINDOW: Duration = Duration::from_secs(10);

/// The length of one slice of the window.
const SLICE: Duration = Duration::from_millis(500);

/// What one request met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The version that answered; nothing when no service did.
    pub(crate) version: Option<&'static str>,
    /// Whether the answer was a good one.
    pub(crate) ok: bool,
    /// From sending the request to the end of the answer.
    pub(crate) latency: Duration,
}

/// Counts over a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count {
    /// All requests.
    pub(crate) requests: u64,
    /// Those with a good answer.
    pub(crate) ok: u64,
    /// Their latencies.
    pub(crate) latency: Histogram,
}

/// Counts of one service.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServiceCount {
    /// All requests for it.
    pub(crate) all: Count,
    /// Those that a version answered.
    pub(crate) versions: BTreeMap<&'static str, Count>,
}

/// All counts over a time, and how long that was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// By service.
    pub(crate) services: BTreeMap<&'static str, ServiceCount>,
    /// The time.
    pub(crate) over: Duration,
}

/// Counts over the last seconds.
#[derive(Debug)]
pub(crate) struct Meter {
    since: Instant,
    slices: VecDeque<(Instant, BTreeMap<&'static str, ServiceCount>)>,
    totals: BTreeMap<&'static str, u64>,
}

impl Meter {
    /// Nothing counted.
    pub(crate) fn new(now: Instant) -> Self {
        Self { since: now, slices: VecDeque::new(), totals: BTreeMap::new() }
    }

    /// Counts a request.
    pub(crate) fn record(&mut self, now: Instant, service: &'static str, outcome: Outcome) {
        *self.totals.entry(service).or_default() += 1;
        let current =
            self.slices.back().is_some_and(|(began, _)| now.duration_since(*began) < SLICE);
        if !current {
            self.slices.push_back((now, BTreeMap::new()));
            while self.slices.front().is_some_and(|(began, _)| now.duration_since(*began) > WINDOW)
            {
                self.slices.pop_front();
            }
        }
        let Some((_, counts)) = self.slices.back_mut() else { return };
        let count = counts.entry(service).or_default();
        count.all.record(outcome);
        if let Some(version) = outcome.version {
            count.versions.entry(version).or_default().record(outcome);
        }
    }

    /// Begins anew, because the rules changed.
    pub(crate) fn reset(&mut self, now: Instant) {
        self.since = now;
        self.slices.clear();
        self.totals.clear();
    }

    /// How many requests for a service were counted since the beginning.
    pub(crate) fn total_of(&self, service: &str) -> u64 {
        self.totals.get(service).copied().unwrap_or(0)
    }

    /// The figures now.
    pub(crate) fn figures(&self, now: Instant) -> Figures {
        let mut figures =
            Figures { over: now.duration_since(self.since).min(WINDOW), ..Figures::default() };
        let recent = self.slices.iter().filter(|(began, _)| now.duration_since(*began) <= WINDOW);
        for (service, count) in recent.flat_map(|(_, counts)| counts) {
            figures.services.entry(service).or_default().merge(count);
        }
        figures
    }
}

impl Figures {
    /// The share of a service's answers that came from a version, in percent.
    pub(crate) fn share(&self, service: &str, version: &str) -> f64 {
        let Some(count) = self.services.get(service) else { return 0.0 };
        let of = |count: &Count| count.requests as f64;
        let answered: f64 = count.versions.values().map(of).sum();
        let this = count.versions.get(version).map_or(0.0, of);
        if answered > 0.0 { this / answered * 100.0 } else { 0.0 }
    }

    /// Requests to a service each second.
    pub(crate) fn rate(&self, service: &str) -> f64 {
        let requests = self.services.get(service).map_or(0, |count| count.all.requests);
        let seconds = self.over.as_secs_f64();
        if seconds > 0.0 { requests as f64 / seconds } else { 0.0 }
    }
}

impl ServiceCount {
    fn merge(&mut self, other: &Self) {
        self.all.merge(&other.all);
        for (version, count) in &other.versions {
            self.versions.entry(version).or_default().merge(count);
        }
    }
}

impl Count {
    fn record(&mut self, outcome: Outcome) {
        self.requests += 1;
        self.ok += u64::from(outcome.ok);
        self.latency.record(outcome.latency);
    }

    fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.ok += other.ok;
        self.latency.merge(&other.latency);
    }

    /// Good answers in percent.
    pub(crate) fn success(&self) -> f64 {
        if self.requests == 0 { 100.0 } else { self.ok as f64 / self.requests as f64 * 100.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(version: &'static str) -> Outcome {
        Outcome { version: Some(version), ok: true, latency: Duration::from_millis(1) }
    }

    #[test]
    fn shares_are_of_what_was_answered() {
        let now = Instant::now();
        let mut meter = Meter::new(now);
        for version in ["v1", "v1", "v1", "v2"] {
            meter.record(now, "reviews", outcome(version));
        }
        meter.record(now, "reviews", Outcome { version: None, ok: false, latency: Duration::ZERO });
        let figures = meter.figures(now + Duration::from_secs(1));
        assert_eq!(figures.share("reviews", "v1"), 75.0);
        assert_eq!(figures.share("reviews", "v3"), 0.0);
        assert_eq!(figures.rate("reviews"), 5.0);
        assert_eq!(figures.services["reviews"].all.success(), 80.0);
    }

    #[test]
    fn what_is_long_ago_does_not_count() {
        let now = Instant::now();
        let mut meter = Meter::new(now);
        meter.record(now, "reviews", outcome("v1"));
        let later = now + WINDOW * 2;
        meter.record(later, "reviews", outcome("v2"));
        let figures = meter.figures(later);
        assert_eq!(figures.share("reviews", "v2"), 100.0);
        assert_eq!(figures.over, WINDOW);
        assert_eq!(meter.total_of("reviews"), 2);
    }
}
