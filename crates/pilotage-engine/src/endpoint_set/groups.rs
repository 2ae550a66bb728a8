//! Groups of endpoints, one of which is chosen first: by locality, where localities have weights.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::group::Group;
use super::{EndpointSetOptions, LocalityEndpoints, turn};
use crate::endpoint::Endpoint;
use crate::schedule::turns;

/// Groups of endpoints, one of which is chosen first.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: Vec<Group>,
    /// Effective weight of each group; empty for a single group.
    weights: Vec<u64>,
    /// Order in which groups take turns, each as often as its weight says. Empty for a single group.
    turns: Vec<u32>,
    cursor: AtomicUsize,
}

/// Which endpoints of a priority belong to the groups.
pub(super) struct Selection<'s> {
    /// The localities of the priority.
    pub(super) localities: &'s [&'s LocalityEndpoints],
    /// Whether an endpoint belongs to it.
    pub(super) fits: &'s dyn Fn(&Endpoint) -> bool,
    /// Everything is used because too few are healthy.
    pub(super) panic: bool,
}

impl Selection<'_> {
    fn of(&self, locality: &LocalityEndpoints) -> Vec<Arc<Endpoint>> {
        locality.endpoints.iter().filter(|e| (self.fits)(e)).cloned().collect()
    }

    fn all(&self) -> Vec<Arc<Endpoint>> {
        self.localities.iter().flat_map(|locality| self.of(locality)).collect()
    }
}

impl Groups {
    pub(super) fn build(
        selection: &Selection<'_>,
        options: &EndpointSetOptions,
        before: Option<&Self>,
    ) -> Self {
        if options.hashing.is_some() {
            return Self::one(hashing(selection, options), before);
        }
        // In a panic localities do not count, nor does their health.
        if options.locality_weighted && !selection.panic {
            let weighted = Self::weighted(selection, options, before);
            if !weighted.groups.is_empty() {
                return weighted;
            }
        }
        let only = before.and_then(|before| before.groups.first());
        Self::one(Group::new(selection.all(), options, only), before)
    }

    fn one(group: Group, before: Option<&Self>) -> Self {
        Self { groups: vec![group], cursor: carried(before), ..Self::default() }
    }

    fn weighted(
        selection: &Selection<'_>,
        options: &EndpointSetOptions,
        before: Option<&Self>,
    ) -> Self {
        let mut groups = Vec::new();
        let mut weights = Vec::new();
        for locality in selection.localities {
            let usable = selection.of(locality);
            if usable.is_empty() || locality.weight == 0 {
                continue;
            }
            // A locality keeps its weight until fewer than 1/1.4 of its endpoints are usable, as a priority does.
            let total = u64::try_from(locality.endpoints.len()).unwrap_or(u64::MAX).max(1);
            let usable_count = u64::try_from(usable.len()).unwrap_or(u64::MAX);
            let factor = u64::from(options.overprovisioning_percent).saturating_mul(PARTS / 100);
            let share = (usable_count.saturating_mul(factor) / total).min(PARTS);
            weights.push(u64::from(locality.weight).saturating_mul(share));
            let before = before.and_then(|before| before.groups.get(groups.len()));
            groups.push(Group::new(usable, options, before));
        }
        let turns = if groups.len() > 1 { turns(&weights) } else { Vec::new() };
        Self { groups, weights, turns, cursor: carried(before) }
    }

    /// The group whose turn it is.
    pub(crate) fn next(&self) -> Option<&Group> {
        match turn(&self.turns, &self.cursor) {
            Some(index) => self.groups.get(index),
            None => self.groups.first(),
        }
    }

    /// Whether localities have weights here.
    pub(super) fn is_split(&self) -> bool {
        !self.weights.is_empty()
    }

    /// The groups, each with its weight.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Group, u64)> {
        let weights = self.weights.iter().copied().chain(std::iter::repeat(1));
        self.groups.iter().zip(weights)
    }
}

/// Into how many parts the share of a locality is measured.
const PARTS: u64 = 10_000;

fn carried(before: Option<&Groups>) -> AtomicUsize {
    AtomicUsize::new(before.map_or(0, |before| before.cursor.load(Ordering::Relaxed)))
}

/// A group for consistent hashing. A locality's weight is shared by its endpoints; localities nobody is left in keep
/// theirs, so that the others' places do not change.
fn hashing(selection: &Selection<'_>, options: &EndpointSetOptions) -> Group {
    let weighted = options.locality_weighted;
    let total: u64 = selection.localities.iter().map(|l| u64::from(l.weight)).sum();
    let mut endpoints = Vec::new();
    let mut shares = Vec::new();
    let mut add = |found: Vec<Arc<Endpoint>>, share: f64| {
        let sum: f64 = found.iter().map(|endpoint| f64::from(endpoint.weight)).sum();
        shares.extend(found.iter().map(|e| f64::from(e.weight) * share / sum));
        endpoints.extend(found);
    };
    if weighted {
        for locality in selection.localities.iter().filter(|locality| locality.weight > 0) {
            #[expect(clippy::cast_precision_loss, reason = "a sum of weights is below 2^52")]
            let share = f64::from(locality.weight) / total as f64;
            add(selection.of(locality), share);
        }
    } else {
        add(selection.all(), 1.0);
    }
    Group::hashing(endpoints, &shares, options)
}
