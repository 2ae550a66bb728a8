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
    /// Load that its healthy endpoints could take, in percent of everything.
    able: u32,
    /// Load that its degraded endpoints could take.
    degraded_able: u32,
}

/// Whether healthy or degraded endpoints serve a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Healthy,
    Degraded,
}

/// The priority that `point`, a number below 100, falls on, and which of its endpoints serve. Priorities whose bit is
/// set in `excluded` are left out as long as the others are able to take anything.
pub(crate) fn choose(loads: &[PriorityLoad], point: u32, excluded: u128) -> Option<(usize, Part)> {
    let able = |index, part, load: &PriorityLoad| match part {
        _ if is_excluded(index, excluded) => 0,
        Part::Healthy => load.able,
        Part::Degraded => load.degraded_able,
    };
    let parts = || {
        let all = |part| loads.iter().enumerate().map(move |(index, load)| (index, part, load));
        all(Part::Healthy).chain(all(Part::Degraded))
    };
    let total = match excluded {
        0 => 0,
        _ => parts().map(|(i, part, load)| able(i, part, load)).sum::<u32>().min(100),
    };
    let mut below = 0;
    for (index, part, load) in parts() {
        let usual = match part {
            Part::Healthy => load.healthy_percent,
            Part::Degraded => load.degraded_percent,
        };
        // Those that are left share everything, unless none of them is able to take anything.
        below += (able(index, part, load) * 100).checked_div(total).unwrap_or(usual);
        if point < below {
            return Some((index, part));
        }
    }
    // What rounding left over goes to the first that is able to take anything.
    let first = parts().find(|(index, part, load)| able(*index, *part, load) > 0);
    first.map(|(index, part, _)| (index, part))
}

/// Whether anybody is able to take anything beside the priorities whose bit is set.
pub(crate) fn is_any_able(loads: &[PriorityLoad], excluded: u128) -> bool {
    let mut all = loads.iter().enumerate();
    all.any(|(index, load)| !is_excluded(index, excluded) && load.able + load.degraded_able > 0)
}

/// Whether the bit of this priority is set. Only the first 128 have one.
fn is_excluded(index: usize, excluded: u128) -> bool {
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    excluded.checked_shr(index).is_some_and(|bits| bits & 1 == 1)
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
    fn availability(self, part: u64, options: &EndpointSetOptions) -> u32 {
        let percent = part * u64::from(options.overprovisioning_percent);
        let available = percent.checked_div(self.total).unwrap_or(0).min(100);
        u32::try_from(available).unwrap_or(100)
    }

    /// Whether fewer are usable than the threshold says.
    #[expect(clippy::cast_precision_loss, reason = "numbers of endpoints are far below 2^52")]
    pub(crate) fn is_below(self, threshold_percent: u32) -> bool {
        let percent = |part: u64| {
            if self.total == 0 { 0.0 } else { 100.0 * part as f64 / self.total as f64 }
        };
        percent(self.healthy) + percent(self.degraded) < f64::from(threshold_percent)
    }
}

/// The share of every priority, first to last. Sums to 100 whenever there are priorities.
pub(crate) fn loads(counts: &[HealthCounts], options: &EndpointSetOptions) -> Vec<PriorityLoad> {
    let healthy: Vec<u32> = counts.iter().map(|c| c.availability(c.healthy, options)).collect();
    let degraded: Vec<u32> = counts.iter().map(|c| c.availability(c.degraded, options)).collect();
    let available: u32 = healthy.iter().chain(&degraded).sum::<u32>().min(100);
    let mut loads: Vec<PriorityLoad> = vec![PriorityLoad::default(); counts.len()];
    for ((load, able), degraded_able) in loads.iter_mut().zip(&healthy).zip(&degraded) {
        (load.able, load.degraded_able) = (*able, *degraded_able);
    }
    if available > 0 {
        by_availability(&mut loads, &healthy, &degraded, available);
    }
    let threshold = options.panic_threshold_percent.min(100);
    if threshold == 0 && available == 0 {
        // Nobody will be found there, and that is what is wanted.
        if let Some(first) = loads.first_mut() {
            first.healthy_percent = 100;
        }
        return loads;
    }
    for (load, count) in loads.iter_mut().zip(counts) {
        // No priority panics while all together can take the whole load.
        load.panic = available < 100 && count.is_below(threshold);
    }
    if loads.iter().all(|load| load.panic) {
        by_size(&mut loads, counts);
    }
    loads
}

/// Each takes what it can of what is left, scaled up when all together cannot take everything.
fn by_availability(loads: &mut [PriorityLoad], healthy: &[u32], degraded: &[u32], available: u32) {
    let mut left = 100;
    let mut take = |can: &u32| {
        let share = (can * 100).checked_div(available).unwrap_or(0).min(left);
        left -= share;
        share
    };
    for (load, can) in loads.iter_mut().zip(healthy) {
        load.healthy_percent = take(can);
    }
    for (load, can) in loads.iter_mut().zip(degraded) {
        load.degraded_percent = take(can);
    }
    // What rounding left over goes to the first that is able to take anything.
    let first = |able: &[u32]| able.iter().position(|can| *can > 0);
    if let Some(load) = first(healthy).and_then(|index| loads.get_mut(index)) {
        load.healthy_percent += left;
    } else if let Some(load) = first(degraded).and_then(|index| loads.get_mut(index)) {
        load.degraded_percent += left;
    }
}

/// When every priority panics, health counts for nothing any more, and numbers of endpoints decide.
fn by_size(loads: &mut [PriorityLoad], counts: &[HealthCounts]) {
    let total: u64 = counts.iter().map(|count| count.total).sum();
    let mut left = 100;
    for (load, count) in loads.iter_mut().zip(counts) {
        let share = (100 * count.total).checked_div(total).unwrap_or(0);
        load.healthy_percent = u32::try_from(share).unwrap_or(0);
        load.degraded_percent = 0;
        left -= load.healthy_percent;
    }
    let first = counts.iter().position(|count| count.total > 0).unwrap_or(0);
    if let Some(load) = loads.get_mut(first) {
        load.healthy_percent += left;
    }
}

#[cfg(test)]
mod tests {
    use super::{Health, Part, PriorityLoad, choose, count_health, loads};
    use crate::endpoint_set::EndpointSetOptions;

    fn of(levels: &[(usize, usize)], threshold: u32) -> Vec<PriorityLoad> {
        let counts: Vec<_> = levels
            .iter()
            .map(|(good, bad)| {
                let good = std::iter::repeat_n(Health::Healthy, *good);
                count_health(good.chain(std::iter::repeat_n(Health::Unhealthy, *bad)))
            })
            .collect();
        let options =
            EndpointSetOptions { panic_threshold_percent: threshold, ..Default::default() };
        loads(&counts, &options)
    }

    fn shares(levels: &[(usize, usize)]) -> Vec<u32> {
        of(levels, 0).iter().map(|load| load.healthy_percent).collect()
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

    #[test]
    fn panic_needs_a_cluster_that_cannot_take_everything() {
        let panics = |levels: &[(usize, usize)], threshold| -> Vec<bool> {
            of(levels, threshold).iter().map(|load| load.panic).collect()
        };
        // A quarter of the first is left, but the second takes the rest.
        assert_eq!(panics(&[(1, 3), (4, 0)], 50), [false, false]);
        assert_eq!(panics(&[(1, 3), (1, 2)], 50), [true, true]);
        assert_eq!(panics(&[(1, 3), (1, 1)], 50), [false, false]);
        assert_eq!(panics(&[(1, 3), (0, 0)], 50), [true, true]);
        // Nine of ten can take everything, whatever the threshold.
        assert_eq!(panics(&[(9, 1)], 100), [false]);
        assert_eq!(panics(&[(7, 3)], 100), [true]);
        assert_eq!(panics(&[(0, 3)], 0), [false]);
    }

    #[test]
    fn when_all_panic_numbers_decide() {
        let shares: Vec<_> =
            of(&[(0, 1), (0, 2), (0, 0)], 50).iter().map(|load| load.healthy_percent).collect();
        assert_eq!(shares, [34, 66, 0]);
        let one = of(&[(0, 0), (0, 2)], 50);
        assert_eq!(one.iter().map(|load| load.healthy_percent).collect::<Vec<_>>(), [0, 100]);
    }

    #[test]
    fn excluded_priorities_give_their_load_to_the_others() {
        let chosen = |levels: &[(usize, usize)], excluded: u128| -> Vec<usize> {
            let loads = of(levels, 0);
            let mut counts = vec![0; levels.len()];
            for point in 0..100 {
                let (priority, part) = choose(&loads, point, excluded).unwrap();
                assert_eq!(part, Part::Healthy);
                counts[priority] += 1;
            }
            counts
        };
        assert_eq!(chosen(&[(2, 1), (3, 0), (1, 0)], 0), [93, 7, 0]);
        assert_eq!(chosen(&[(2, 1), (3, 0), (1, 0)], 0b001), [0, 100, 0]);
        assert_eq!(chosen(&[(2, 1), (1, 3), (1, 0)], 0b001), [0, 35, 65]);
        assert_eq!(chosen(&[(2, 1), (3, 0), (1, 0)], 0b011), [0, 0, 100]);
        // Who excludes everybody excludes nobody.
        assert_eq!(chosen(&[(2, 1), (3, 0), (1, 0)], 0b111), [93, 7, 0]);
        assert_eq!(chosen(&[(1, 2), (0, 3), (1, 2)], 0b001), [0, 0, 100]);
    }
}
