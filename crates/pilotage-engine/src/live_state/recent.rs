//! How many of a growing number are new: a window of slots, moved on by whoever has a clock, so that counting costs
//! nothing.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Slots of a window, as many as Envoy's has.
const SLOTS: u32 = 10;

/// The last part of a growing number.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// What the number was when the window began.
    begin: AtomicU64,
    /// What it was at these times, oldest first.
    slots: Mutex<VecDeque<(Duration, u64)>>,
}

impl Recent {
    /// By how much the number, which is `total` now, has grown within the window.
    pub(super) fn count(&self, total: u64) -> u32 {
        let new = total.saturating_sub(self.begin.load(Ordering::Relaxed));
        u32::try_from(new).unwrap_or(u32::MAX)
    }

    /// Moves a window of `interval` to `now`, when the number is `total`; says when the next slot begins.
    pub(super) fn advance(&self, total: u64, interval: Duration, now: Duration) -> Duration {
        let slot = interval / SLOTS;
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let next = |(began, _): &(Duration, u64)| began.saturating_add(slot);
        if let Some(due) = slots.back().map(next)
            && now < due
        {
            return due;
        }
        slots.push_back((now, total));
        while let Some((_, then)) =
            slots.pop_front_if(|(began, _)| began.saturating_add(interval) <= now)
        {
            self.begin.store(then, Ordering::Relaxed);
        }
        now.saturating_add(slot)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Recent;

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let recent = Recent::default();
        let at = |tenths| Duration::from_millis(100 * tenths);
        let interval = Duration::from_secs(1);
        assert_eq!(recent.count(3), 3, "all is new at first");
        assert_eq!(recent.advance(3, interval, at(0)), at(1));
        assert_eq!(recent.advance(5, interval, at(0)), at(1), "a slot is not over yet");
        for tenth in 1..10 {
            recent.advance(3 + tenth, interval, at(tenth));
        }
        assert_eq!(recent.count(12), 12);
        recent.advance(13, interval, at(10));
        assert_eq!(recent.count(13), 10, "the first three are gone");
        recent.advance(13, interval, at(15));
        assert_eq!(recent.count(13), 5);
        recent.advance(13, interval, at(40));
        assert_eq!(recent.count(14), 1);
    }
}
