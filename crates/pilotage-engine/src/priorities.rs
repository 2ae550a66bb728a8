//! How load is shared over priorities as their health falls.

use crate::endpoint::Health;
use crate::endpoint_set::EndpointSetOptions;

/// Numbers of endpoints of one priority by health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HealthCounts {
    healthy: u64,
    degraded: u64,
    total: u64,
}

/// What part of the requests a priority takes, and which of its endpoints serve them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PriorityLoad {
    /// Percent served by healthy endpoints.
    pub(crate) healthy_percent: u32,
    /// Percent served by degraded endpoints.
    pub(crate) degraded_percent: u32,
    /// Whether so few are healthy that all endpoints are used alike.
    pub(crate) panic: bool,
}

pub(crate) fn count_health(endpoints: impl Iterator<Item = Health>) -> HealthCounts {
    let mut counts = HealthCounts::default();
    for health in endpoints {
        counts.total += 1;
        match health {
            Health::Healthy => counts.healthy += 1,
            Health::Degraded => counts.degraded += 1,
            Health::Unhealthy => {}
        }
    }
    counts
}

impl HealthCounts {
    /// Load this priority can take, in percent of everything, by `part` of its endpoints.
    fn availability(self, part: u64, options: EndpointSetOptions) -> u32 {
        let percent = part * u64::from(options.overprovisioning_percent);
        let available = percent.checked_div(self.total).unwrap_or(0).min(100);
        u32::try_from(available).unwrap_or(100)
    }

    fn panics(self, options: EndpointSetOptions) -> bool {
        let usable = u32::try_from(self.healthy + self.degraded).unwrap_or(u32::MAX);
        let total = u32::try_from(self.total).unwrap_or(u32::MAX);
        let percent = if total == 0 { 0.0 } else { 100.0 * f64::from(usable) / f64::from(total) };
        percent < options.panic_threshold_percent
    }
}

/// The share of every priority, first to last. Sums to 100 unless nothing is available, when the first gets it all.
pub(crate) fn loads(counts: &[HealthCounts], options: EndpointSetOptions) -> Vec<PriorityLoad> {
    let healthy: Vec<u32> = counts.iter().map(|c| c.availability(c.healthy, options)).collect();
    let degraded: Vec<u32> = counts.iter().map(|c| c.availability(c.degraded, options)).collect();
    let available: u32 = healthy.iter().chain(&degraded).sum::<u32>().min(100);
    let mut loads: Vec<PriorityLoad> = vec![PriorityLoad::default(); counts.len()];
    if available == 0 {
        if let Some(first) = loads.first_mut() {
            first.healthy_percent = 100;
        }
    } else {
        // Each takes what it can of what is left, scaled up when all together cannot take everything.
        let mut left = 100;
        let mut take = |can: &u32| {
            let share = (can * 100).checked_div(available).unwrap_or(0).min(left);
            left -= share;
            share
        };
        for (load, can) in loads.iter_mut().zip(&healthy) {
            load.healthy_percent = take(can);
        }
        for (load, can) in loads.iter_mut().zip(&degraded) {
            load.degraded_percent = take(can);
        }
        // What rounding left over goes to the first that takes anything.
        if let Some(load) = loads.iter_mut().find(|l| l.healthy_percent > 0) {
            load.healthy_percent += left;
        } else if let Some(load) = loads.iter_mut().find(|l| l.degraded_percent > 0) {
            load.degraded_percent += left;
        }
    }
    // A priority panics by itself only while the others together cannot take the whole load.
    let spread = available < 100 || options.panic_threshold_percent >= 100.0;
    for (load, count) in loads.iter_mut().zip(counts) {
        load.panic = count.panics(options) && (spread || available == 0);
    }
    loads
}

#[cfg(test)]
mod tests {
    use super::{Health, count_health, loads};
    use crate::endpoint_set::EndpointSetOptions;

    fn shares(levels: &[(usize, usize)]) -> Vec<u32> {
        let counts: Vec<_> = levels
            .iter()
            .map(|(good, bad)| {
                let good = std::iter::repeat_n(Health::Healthy, *good);
                count_health(good.chain(std::iter::repeat_n(Health::Unhealthy, *bad)))
            })
            .collect();
        let options = EndpointSetOptions { panic_threshold_percent: 0.0, ..Default::default() };
        loads(&counts, options).iter().map(|l| l.healthy_percent).collect()
    }

    #[test]
    fn a_weak_priority_spills_over() {
        assert_eq!(shares(&[(3, 0), (3, 0)]), [100, 0]);
        assert_eq!(shares(&[(2, 1), (3, 0)]), [93, 7]);
        assert_eq!(shares(&[(0, 3), (1, 0)]), [0, 100]);
        // Together they cannot take everything, and share it in proportion.
        assert_eq!(shares(&[(1, 3), (1, 3)]), [50, 50]);
        assert_eq!(shares(&[(0, 1), (0, 1)]), [100, 0]);
        assert!(shares(&[]).is_empty());
    }
}
