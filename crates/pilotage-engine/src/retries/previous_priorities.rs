//! Retries that go to other priorities than those tried before (`previous_priorities`, what Istio makes of
//! `retryRemoteLocalities`).

use crate::endpoint_set::EndpointSet;

/// The priorities that the attempts of one request went to.
#[derive(Clone, Debug)]
pub(super) struct TriedPriorities {
    /// After every so many attempts the priorities tried so far are excluded.
    update_frequency: usize,
    tried: Vec<u32>,
    excluded: u128,
}

impl TriedPriorities {
    /// Nothing tried yet. `update_frequency` is at least 1.
    pub(super) fn new(update_frequency: u32) -> Self {
        let update_frequency = usize::try_from(update_frequency).unwrap_or(usize::MAX).max(1);
        Self { update_frequency, tried: Vec::new(), excluded: 0 }
    }

    /// Whether there was an attempt.
    pub(super) fn any(&self) -> bool {
        !self.tried.is_empty()
    }

    /// An attempt goes to an endpoint of this priority.
    pub(super) fn note(&mut self, priority: u32) {
        self.tried.push(priority);
    }

    /// The priorities that the next attempt avoids, one bit each. When nothing usable would be left, all are allowed
    /// again.
    pub(super) fn excluded(&mut self, set: &EndpointSet) -> u128 {
        let count = self.tried.len();
        if count >= self.update_frequency && count.is_multiple_of(self.update_frequency) {
            for priority in &self.tried {
                self.excluded |= 1_u128.checked_shl(*priority).unwrap_or(0);
            }
            if !set.has_available_beside(self.excluded) {
                self.excluded = 0;
                self.tried.clear();
            }
        }
        self.excluded
    }
}
