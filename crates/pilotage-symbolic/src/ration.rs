//! Work, given out host by host, so that one that is complex leaves enough for all others.

use crate::algebra::Algebra;
use crate::budget::Budget;
use crate::region::Space;
use crate::universe::Universe;

/// Work for all hosts together and for one of them, in steps of automata.
const WORK: u64 = 400_000_000;
const WORK_OF_ONE_HOST: u64 = 40_000_000;
/// States that are kept from one host to the next; more would only take memory.
const MOST_STATES_KEPT: usize = 1_000_000;

/// Gives out work, and keeps the languages that are known already.
#[derive(Debug)]
pub(crate) struct Ration {
    algebra: Option<Algebra>,
    left: u64,
}

impl Ration {
    pub(crate) fn new() -> Self {
        Self { algebra: None, left: WORK }
    }

    /// Lets `work` ask about the requests of one host.
    pub(crate) fn for_one_host<R>(
        &mut self,
        universe: Universe,
        work: impl FnOnce(&mut Space) -> R,
    ) -> R {
        let mut algebra = self.algebra.take().unwrap_or_else(|| Algebra::new(Budget::new(0)));
        let granted = self.left.min(WORK_OF_ONE_HOST);
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
