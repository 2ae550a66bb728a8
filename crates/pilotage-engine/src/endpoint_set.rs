//! The endpoints of a cluster at one moment, prepared so that choosing one needs neither a lock nor an allocation.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::endpoint::{Endpoint, Health};
use crate::load_balancing::{HashTable, Hashing};
use crate::priorities::{PriorityLoad, loads};
use crate::sequence::smooth;

/// All endpoints of a cluster, grouped by priority and locality.
#[derive(Debug, Default)]
pub struct EndpointSet {
    endpoints: Vec<Arc<Endpoint>>,
    pub(crate) priorities: Vec<Priority>,
    /// Share of each priority, in percent; the sum is 100 whenever there are priorities.
    pub(crate) loads: Vec<PriorityLoad>,
}

/// The endpoints of one priority.
#[derive(Debug, Default)]
pub(crate) struct Priority {
    /// Used in ordinary times: everything healthy, in one group, or one group per locality when localities are
    /// weighted.
    pub(crate) healthy: Groups,
    /// Used for the share of the load that degraded endpoints take.
    pub(crate) degraded: Groups,
    /// Used in a panic: everything.
    pub(crate) all: Groups,
}

/// Groups of endpoints, one of which is chosen first.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: Vec<Group>,
    /// Order in which groups take turns, each as often as its weight says. Empty for a single group.
    turns: Vec<u32>,
    cursor: AtomicUsize,
}

/// Endpoints that a balancing policy chooses from.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    /// Whether all have the same weight.
    pub(crate) uniform: bool,
    /// Order for round robin: each endpoint as often as its weight says, spread evenly. Empty when uniform.
    turns: Vec<u32>,
    /// Running sums of the weights, for weighted draws. Empty when uniform.
    sums: Vec<u64>,
    cursor: AtomicUsize,
    /// For consistent hashing.
    table: Option<HashTable>,
}

/// How an [`EndpointSet`] is prepared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EndpointSetOptions {
    /// Percent of healthy endpoints of a priority below which all its endpoints are used; 0 switches that off.
    pub panic_threshold_percent: f64,
    /// How much more than its share a priority can take, in percent: 140.
    pub overprovisioning_percent: u32,
    /// Whether localities get traffic by their own weights.
    pub locality_weighted: bool,
    /// Whether, and how, endpoints are found by hash.
    pub hashing: Option<Hashing>,
}

impl Default for EndpointSetOptions {
    fn default() -> Self {
        Self {
            panic_threshold_percent: 50.0,
            overprovisioning_percent: 140,
            locality_weighted: false,
            hashing: None,
        }
    }
}

/// Endpoints of one locality at one priority, as delivered.
#[derive(Clone, Debug)]
pub(crate) struct LocalityEndpoints {
    pub(crate) priority: u32,
    /// Weight of the locality; `None` or 0 gets no traffic when localities are weighted.
    pub(crate) weight: u32,
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
}

impl EndpointSet {
    pub(crate) fn build(localities: &[LocalityEndpoints], options: EndpointSetOptions) -> Self {
        let highest = localities.iter().map(|l| l.priority).max();
        let count = highest.map_or(0, |p| usize::try_from(p).unwrap_or(0).saturating_add(1));
        let mut priorities = Vec::with_capacity(count);
        let mut healths = Vec::with_capacity(count);
        for level in 0..count {
            let here: Vec<_> =
                localities.iter().filter(|l| usize::try_from(l.priority) == Ok(level)).collect();
            healths.push(crate::priorities::count_health(
                here.iter().flat_map(|l| &l.endpoints).map(|e| e.health),
            ));
            priorities.push(Priority {
                healthy: Groups::build(&here, Some(Health::Healthy), options),
                degraded: Groups::build(&here, Some(Health::Degraded), options),
                all: Groups::build(&here, None, options),
            });
        }
        Self {
            endpoints: localities.iter().flat_map(|l| l.endpoints.iter().cloned()).collect(),
            loads: loads(&healths, options),
            priorities,
        }
    }

    /// All endpoints, healthy or not, in the order of delivery.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.endpoints.iter()
    }

    /// Number of endpoints.
    pub fn len(&self) -> usize {
        self.endpoints.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.endpoints.is_empty()
    }
}

impl Groups {
    fn build(
        localities: &[&LocalityEndpoints],
        health: Option<Health>,
        options: EndpointSetOptions,
    ) -> Self {
        let fits = |e: &&Arc<Endpoint>| health.is_none_or(|wanted| e.health == wanted);
        if let Some(hashing) = options.hashing {
            // Everything is used only in a panic, and there is none below a threshold of zero.
            let used = health.is_some() || options.panic_threshold_percent > 0.0;
            let group = if used {
                Group::hashing(hashing, localities, fits, options.locality_weighted)
            } else {
                Group::default()
            };
            return Self { groups: vec![group], ..Self::default() };
        }
        if !options.locality_weighted {
            let all = localities.iter().flat_map(|l| &l.endpoints).filter(fits).cloned();
            let group = Group::new(all.collect());
            return Self { groups: vec![group], ..Self::default() };
        }
        let mut groups = Vec::new();
        let mut weights = Vec::new();
        for locality in localities {
            let usable: Vec<_> = locality.endpoints.iter().filter(fits).cloned().collect();
            if usable.is_empty() || locality.weight == 0 {
                continue;
            }
            // A locality keeps its weight until fewer than 1/1.4 of its endpoints are usable, as a priority does.
            let total = u64::try_from(locality.endpoints.len()).unwrap_or(u64::MAX).max(1);
            let usable_count = u64::try_from(usable.len()).unwrap_or(u64::MAX);
            let factor = u64::from(options.overprovisioning_percent);
            let share = (usable_count.saturating_mul(factor) / total).min(100);
            weights.push(u64::from(locality.weight).saturating_mul(share));
            groups.push(Group::new(usable));
        }
        let turns = if groups.len() > 1 { smooth(&weights) } else { Vec::new() };
        Self { groups, turns, cursor: AtomicUsize::new(0) }
    }

    /// The group whose turn it is.
    pub(crate) fn next(&self) -> Option<&Group> {
        match turn(&self.turns, &self.cursor) {
            Some(index) => self.groups.get(index),
            None => self.groups.first(),
        }
    }
}

impl Group {
    fn new(endpoints: Vec<Arc<Endpoint>>) -> Self {
        let mut weights = endpoints.iter().map(|e| u64::from(e.weight));
        let first = weights.next();
        let uniform = weights.all(|w| Some(w) == first);
        let (mut turns, mut sums) = (Vec::new(), Vec::new());
        if !uniform {
            let weights: Vec<u64> = endpoints.iter().map(|e| u64::from(e.weight)).collect();
            turns = smooth(&weights);
            let mut sum = 0_u64;
            sums = weights
                .iter()
                .map(|w| {
                    sum = sum.saturating_add(*w);
                    sum
                })
                .collect();
        }
        Self { endpoints, uniform, turns, sums, cursor: AtomicUsize::new(0), table: None }
    }

    /// A group for consistent hashing. A locality's weight is shared by its endpoints.
    fn hashing(
        hashing: Hashing,
        localities: &[&LocalityEndpoints],
        fits: impl Fn(&&Arc<Endpoint>) -> bool,
        locality_weighted: bool,
    ) -> Self {
        let mut endpoints = Vec::new();
        let mut weights = Vec::new();
        for locality in localities {
            let usable: Vec<_> = locality.endpoints.iter().filter(&fits).collect();
            let sum: f64 = usable.iter().map(|endpoint| f64::from(endpoint.weight)).sum();
            let factor = if locality_weighted { f64::from(locality.weight) / sum } else { 1.0 };
            if factor > 0.0 {
                weights.extend(usable.iter().map(|e| f64::from(e.weight) * factor));
                endpoints.extend(usable.into_iter().cloned());
            }
        }
        let table =
            (!endpoints.is_empty()).then(|| HashTable::build(hashing, &endpoints, &weights));
        Self { table, ..Self::new(endpoints) }
    }

    /// The endpoint for a hash.
    pub(crate) fn hashed(&self, hash: u64) -> Option<&Arc<Endpoint>> {
        self.endpoints.get(self.table.as_ref()?.find(hash)?)
    }

    /// The endpoint whose turn it is in weighted round robin.
    pub(crate) fn next(&self) -> Option<&Arc<Endpoint>> {
        if self.uniform {
            let turn = self.cursor.fetch_add(1, Ordering::Relaxed);
            let index = turn.checked_rem(self.endpoints.len())?;
            return self.endpoints.get(index);
        }
        self.endpoints.get(turn(&self.turns, &self.cursor)?)
    }

    /// An endpoint drawn with a probability that follows its weight.
    pub(crate) fn draw(&self, random: u64) -> Option<&Arc<Endpoint>> {
        if self.uniform {
            let count = u64::try_from(self.endpoints.len()).ok()?;
            return self.endpoints.get(usize::try_from(random.checked_rem(count)?).ok()?);
        }
        let point = random.checked_rem(*self.sums.last()?)?;
        self.endpoints.get(self.sums.partition_point(|sum| *sum <= point))
    }
}

/// What stands at the cursor's place in `turns`, moving the cursor on.
fn turn(turns: &[u32], cursor: &AtomicUsize) -> Option<usize> {
    if turns.is_empty() {
        return None;
    }
    let place = cursor.fetch_add(1, Ordering::Relaxed).checked_rem(turns.len())?;
    turns.get(place).and_then(|index| usize::try_from(*index).ok())
}
