//! Endpoints that a balancing policy chooses from.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{EndpointSetOptions, turn};
use crate::endpoint::Endpoint;
use crate::load_balancing::HashTable;
use crate::schedule::{Deadlines, turns};

/// Endpoints that a balancing policy chooses from.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    /// Whether all have the same weight.
    pub(crate) uniform: bool,
    /// Order for round robin: each endpoint as often as its weight says. Empty when uniform.
    turns: Vec<u32>,
    cursor: AtomicUsize,
    /// Order when weights change all the time; empty where they never do.
    deadlines: Deadlines,
    /// For consistent hashing.
    table: Option<HashTable>,
}

impl Group {
    /// A group whose turns go on where those of `before` stopped.
    pub(crate) fn new(
        endpoints: Vec<Arc<Endpoint>>,
        options: &EndpointSetOptions,
        before: Option<&Self>,
    ) -> Self {
        let mut weights = endpoints.iter().map(|e| e.weight);
        let first = weights.next();
        let uniform = weights.all(|w| Some(w) == first);
        let turns = if uniform || options.hashing.is_some() {
            Vec::new()
        } else {
            turns(&endpoints.iter().map(|e| u64::from(e.weight)).collect::<Vec<_>>())
        };
        let changing = endpoints.len() > 1 && (options.slow_start || (options.by_load && !uniform));
        let deadlines = Deadlines::new(if changing { endpoints.len() } else { 0 });
        let cursor = AtomicUsize::new(before.map_or(0, |g| g.cursor.load(Ordering::Relaxed)));
        Self { endpoints, uniform, turns, cursor, deadlines, table: None }
    }

    /// A group for consistent hashing. `shares` belong to `endpoints` one by one.
    pub(crate) fn hashing(
        endpoints: Vec<Arc<Endpoint>>,
        shares: &[f64],
        options: &EndpointSetOptions,
    ) -> Self {
        let table = options.hashing.filter(|_| !endpoints.is_empty());
        let table = table.map(|hashing| HashTable::build(hashing, &endpoints, shares));
        Self { table, ..Self::new(endpoints, options, None) }
    }

    /// The part of the requests to this group that `endpoint` gets.
    pub(super) fn share(&self, endpoint: &Arc<Endpoint>, weigh: impl Fn(&Endpoint) -> f64) -> f64 {
        if !self.endpoints.iter().any(|e| Arc::ptr_eq(e, endpoint)) {
            return 0.0;
        }
        let sum: f64 = self.endpoints.iter().map(|e| weigh(e)).sum();
        weigh(endpoint) / sum
    }

    /// The endpoint for a hash.
    pub(crate) fn hashed(&self, hash: u64) -> Option<&Arc<Endpoint>> {
        self.endpoints.get(self.table.as_ref()?.find(hash)?)
    }

    /// The endpoint whose turn it is by the fixed weights.
    pub(crate) fn next(&self) -> Option<&Arc<Endpoint>> {
        if self.uniform {
            let turn = self.cursor.fetch_add(1, Ordering::Relaxed);
            let index = turn.checked_rem(self.endpoints.len())?;
            return self.endpoints.get(index);
        }
        self.endpoints.get(turn(&self.turns, &self.cursor)?)
    }

    /// The endpoint whose turn it is by weights as `weight` tells them now.
    pub(crate) fn next_by(&self, weight: impl Fn(&Endpoint) -> f64) -> Option<&Arc<Endpoint>> {
        let next =
            self.deadlines.next(|index| self.endpoints.get(index).map_or(1.0, |e| weight(e)));
        // Without deadlines there is nothing to choose between.
        next.map_or_else(|| self.endpoints.first(), |index| self.endpoints.get(index))
    }

    /// An endpoint drawn at random, whatever its weight.
    pub(crate) fn draw(&self, random: u64) -> Option<&Arc<Endpoint>> {
        let count = u64::try_from(self.endpoints.len()).ok()?;
        self.endpoints.get(usize::try_from(random.checked_rem(count)?).ok()?)
    }
}
