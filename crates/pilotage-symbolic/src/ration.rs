//! Work, given out host by host, so that one that is complex leaves enough for all others.

use crate::algebra::Algebra;
use crate::budget::Budget;
use crate::region::Space;
use crate::universe::Universe;

/// Work for all hosts together, in steps of automata.
const WORK: u64 = 400_000_000;
/// One host may take at most one part of so many.
const SHARES: u64 = 10;
/// States that are kept from one host to the next; more would only take memory.
const MOST_STATES_KEPT: usize = 1_000_000;

/// Gives out work, and keeps the languages that are known already.
#[derive(Debug)]
pub(crate) struct Ration {
    algebra: Option<Algebra>,
    left: u64,
    for_one: u64,
}

impl Ration {
    pub(crate) fn new() -> Self {
        Self::of(WORK)
    }

    /// So much work for all hosts together.
    pub(crate) fn of(work: u64) -> Self {
        Self { algebra: None, left: work, for_one: work / SHARES }
    }

    /// Lets `work` ask about the requests of one host.
    pub(crate) fn for_one_host<R>(
        &mut self,
        universe: Universe,
        work: impl FnOnce(&mut Space) -> R,
    ) -> R {
        let mut algebra = self.algebra.take().unwrap_or_else(|| Algebra::new(Budget::new(0)));
        let granted = self.left.min(self.for_one);
        algebra.budget = Budget::new(granted);
        let mut space = Space::new(algebra, universe);
        let result = work(&mut space);
        let mut algebra = space.into_algebra();
        self.left -= granted - algebra.budget.left();
        algebra.forget_refusals();
        self.algebra = Some(algebra).filter(|algebra| algebra.size() <= MOST_STATES_KEPT);
        result
    }
}
