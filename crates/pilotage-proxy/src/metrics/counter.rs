//! Numbers that one thread writes and others read.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number with a single writer: adding is a plain load and store, without a bus lock.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds `count`. Only the owning worker may call this.
    pub(crate) fn add(&self, count: u64) {
        self.0.store(self.get().wrapping_add(count), Ordering::Relaxed);
    }

    /// Takes `count` away, of a number that goes up and down. Only the owning worker may call this.
    pub(crate) fn sub(&self, count: u64) {
        self.0.store(self.get().wrapping_sub(count), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds of Envoy's histogram buckets, used by Istio for milliseconds and bytes alike; `+Inf` follows.
pub(crate) const BOUNDS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1_000.0,
    2_500.0,
    5_000.0,
    10_000.0,
    30_000.0,
    60_000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

/// A histogram with a single writer. Values are whole numbers, as in Envoy.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    buckets: [Counter; BOUNDS.len() + 1],
    sum: Counter,
}

impl Histogram {
    /// Counts `value`. Only the owning worker may call this.
    pub(crate) fn record(&self, value: u64) {
        #[expect(clippy::cast_precision_loss, reason = "bucket bounds are far below 2^53")]
        let index = BOUNDS.partition_point(|bound| *bound < value as f64);
        if let Some(bucket) = self.buckets.get(index) {
            bucket.add(1);
        }
        self.sum.add(value);
    }

    /// Counts per bucket (not cumulative), and the sum.
    pub(crate) fn read(&self) -> ([u64; BOUNDS.len() + 1], u64) {
        let mut counts = [0; BOUNDS.len() + 1];
        for (count, bucket) in counts.iter_mut().zip(&self.buckets) {
            *count = bucket.get();
        }
        (counts, self.sum.get())
    }
}

#[cfg(test)]
mod tests {
    use super::Histogram;

    #[test]
    fn bounds_are_inclusive() {
        let histogram = Histogram::default();
        for value in [0, 1, 2, 5, 6, 4_000_000] {
            histogram.record(value);
        }
        let (counts, sum) = histogram.read();
        assert_eq!(counts.get(..4).unwrap(), [1, 1, 2, 1]);
        assert_eq!(counts.last(), Some(&1));
        assert_eq!(sum, 4_000_014);
    }
}
