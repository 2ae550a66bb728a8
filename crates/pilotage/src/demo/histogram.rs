//! Latencies, counted in buckets that are 9 % wide.

use std::time::Duration;

/// Buckets for each doubling of the latency.
const PER_DOUBLING: f64 = 8.0;

/// The last bucket begins at about two minutes.
const BUCKETS: usize = 27 * 8;

/// A histogram of durations from a microsecond to minutes.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    buckets: Box<[u64; BUCKETS]>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: Box::new([0; BUCKETS]), count: 0 }
    }
}

impl Histogram {
    /// Counts a duration.
    pub(crate) fn record(&mut self, duration: Duration) {
        let micros = duration.as_secs_f64() * 1e6;
        let bucket = (micros.max(1.0).log2() * PER_DOUBLING) as usize;
        if let Some(count) = self.buckets.get_mut(bucket.min(BUCKETS - 1)) {
            *count += 1;
        }
        self.count += 1;
    }

    /// Adds the counts of another one.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(other.buckets.iter()) {
            *mine += theirs;
        }
        self.count += other.count;
    }

    /// The duration that the share `quantile` (0 to 1) of all are not above; nothing when there are none.
    pub(crate) fn quantile(&self, quantile: f64) -> Option<Duration> {
        let wanted = (quantile * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        // The middle of the bucket.
        Some(Duration::from_secs_f64(((bucket as f64 + 0.5) / PER_DOUBLING).exp2() / 1e6))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_near() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        for millis in 1..=100 {
            histogram.record(Duration::from_millis(millis));
        }
        for (quantile, millis) in [(0.5, 50.0), (0.99, 99.0), (0.0, 1.0), (1.0, 100.0)] {
            let found = histogram.quantile(quantile).unwrap().as_secs_f64() * 1e3;
            assert!((found / millis - 1.0).abs() < 0.06, "{quantile}: {found}");
        }
    }

    #[test]
    fn extremes_are_counted_too() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::ZERO);
        histogram.record(Duration::from_secs(100_000));
        assert!(histogram.quantile(1.0).unwrap() > Duration::from_secs(60));
        assert!(histogram.quantile(0.5).unwrap() < Duration::from_millis(1));
    }
}
