//! Kinds of requests that change, each once; of very many, the first are kept and the others counted.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::difference::RequestChange;
use crate::outcome::{Change, Facet, tidy};

/// What tells one kind of change from another, in short: the changes and the conditions, but not the hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KindOfChange(u64);

impl KindOfChange {
    /// The kind of `change`.
    #[must_use]
    pub fn of(change: &RequestChange) -> Self {
        let mut hasher = DefaultHasher::new();
        (&change.changes, &change.alternatives, change.sampled).hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// Kinds that were found and not kept, each with what changes.
pub type MoreKinds = BTreeMap<KindOfChange, Vec<Facet>>;

/// So many kinds of one host are looked at, even if fewer are kept.
const LEAST_OF_ONE_HOST: usize = 1_000;

/// All kinds so far.
#[derive(Debug)]
pub(crate) struct Tally {
    most: usize,
    kept: Vec<RequestChange>,
    places: HashMap<KindOfChange, usize>,
    more: MoreKinds,
}

impl Tally {
    /// Keeps `most` kinds.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, kept: Vec::new(), places: HashMap::new(), more: MoreKinds::new() }
    }

    /// Kinds that are looked at of one host, at most.
    pub(crate) fn of_one_host(&self) -> usize {
        self.most.max(LEAST_OF_ONE_HOST)
    }

    /// Counts `change`; those that differ in nothing but the host are one kind.
    pub(crate) fn add(&mut self, change: RequestChange) {
        let kind = KindOfChange::of(&change);
        let place = self.places.get(&kind).copied();
        let known = place.and_then(|place| self.kept.get_mut(place));
        if let Some(known) = known.filter(|known| is_alike(known, &change)) {
            known.was.extend(change.was);
            known.becomes.extend(change.becomes);
            known.hosts.extend(change.hosts);
        } else if self.kept.len() < self.most {
            self.places.entry(kind).or_insert(self.kept.len());
            self.kept.push(change);
        } else {
            let facets = |changes: &[Change]| changes.iter().map(|one| one.facet).collect();
            self.more.entry(kind).or_insert_with(|| facets(&change.changes));
        }
    }

    /// The kinds that were kept, and the others.
    pub(crate) fn finish(self) -> (Vec<RequestChange>, MoreKinds) {
        let Self { mut kept, more, .. } = self;
        for change in &mut kept {
            for origins in [&mut change.was, &mut change.becomes] {
                tidy(origins);
            }
        }
        (kept, more)
    }
}

fn is_alike(a: &RequestChange, b: &RequestChange) -> bool {
    a.changes == b.changes && a.alternatives == b.alternatives && a.sampled == b.sampled
}
