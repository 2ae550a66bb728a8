//! Weighted turns: who has waited longest for its weight is next (earliest deadline first, as in Envoy).
//!
//! An item of weight `w` is due every `1/w`; of those due at the same time, who got in line first goes first.

use std::cmp::Ordering as Order;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Longest sequence that is prepared. Weights whose smallest common scale needs more are rounded.
const MAX_TURNS: u64 = 4096;

/// One period of the turns of items with fixed `weights`: each appears as often as its weight says (after scaling).
/// Items of weight 0 never appear. Empty when all are 0.
pub(crate) fn turns(weights: &[u64]) -> Vec<u32> {
    let weights = scaled(weights);
    let total: u64 = weights.iter().sum();
    let mut line: BinaryHeap<Waiting> = weights
        .iter()
        .enumerate()
        .filter(|(_, weight)| **weight > 0)
        .map(|(index, weight)| Waiting { round: 1, weight: *weight, ticket: index, index })
        .collect();
    let mut turns = Vec::with_capacity(usize::try_from(total).unwrap_or(0));
    let tickets = weights.len()..;
    for (_, ticket) in (0..total).zip(tickets) {
        let Some(mut first) = line.pop() else { break };
        turns.push(u32::try_from(first.index).unwrap_or(0));
        first.round += 1;
        first.ticket = ticket;
        line.push(first);
    }
    turns
}

/// An item in line: due at `round / weight`.
#[derive(Debug, PartialEq, Eq)]
struct Waiting {
    round: u64,
    weight: u64,
    ticket: usize,
    index: usize,
}

/// The greatest is who is due first.
impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Order {
        let (mine, theirs) = (self.round * other.weight, other.round * self.weight);
        theirs.cmp(&mine).then(other.ticket.cmp(&self.ticket))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

/// `weights` divided by their greatest common divisor, then scaled down if the sum is still too large. A weight above
/// 0 stays above 0.
fn scaled(weights: &[u64]) -> Vec<u64> {
    let divisor = weights.iter().copied().fold(0, gcd).max(1);
    let total = weights.iter().fold(0_u64, |sum, w| sum.saturating_add(w / divisor));
    // Room for the items that rounding keeps at 1.
    let shrink = |weight: u64| {
        if total <= MAX_TURNS {
            return weight;
        }
        let wide = u128::from(weight) * u128::from(MAX_TURNS) / u128::from(total);
        u64::try_from(wide).unwrap_or(MAX_TURNS).max(u64::from(weight > 0))
    };
    weights.iter().map(|w| shrink(w / divisor)).collect()
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Turns of items whose weights change from one turn to the next. Threads that draw at once never wait for each other;
/// then two of them may get the same item once.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    items: Vec<Item>,
    next_ticket: AtomicU64,
}

#[derive(Debug)]
struct Item {
    /// When it is due, as the bits of an `f64`; [`UNKNOWN`] before its first weight is asked for.
    due: AtomicU64,
    ticket: AtomicU64,
}

/// Bits of no time: a NaN.
const UNKNOWN: u64 = u64::MAX;
/// How often a thread that lost a race tries again before it takes what it found.
const RACES: usize = 3;

impl Deadlines {
    pub(crate) fn new(count: usize) -> Self {
        let tickets = 0..u64::try_from(count).unwrap_or(0);
        let item = |ticket| Item { due: AtomicU64::new(UNKNOWN), ticket: AtomicU64::new(ticket) };
        Self { next_ticket: AtomicU64::new(tickets.end), items: tickets.map(item).collect() }
    }

    /// Whose turn it is; `weight` tells the weight of an item now, which is above 0.
    pub(crate) fn next(&self, weight: impl Fn(usize) -> f64) -> Option<usize> {
        let mut first = self.first(&weight)?;
        for _ in 0..RACES {
            let (index, due) = first;
            let again = (f64::from_bits(due) + 1.0 / weight(index)).to_bits();
            let item = self.items.get(index)?;
            if item.due.compare_exchange(due, again, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                let ticket = self.next_ticket.fetch_add(1, Ordering::Relaxed);
                item.ticket.store(ticket, Ordering::Relaxed);
                break;
            }
            first = self.first(&weight)?;
        }
        Some(first.0)
    }

    /// Who is due first, and the bits of when.
    fn first(&self, weight: &impl Fn(usize) -> f64) -> Option<(usize, u64)> {
        let mut best: Option<(usize, u64, u64)> = None;
        for (index, item) in self.items.iter().enumerate() {
            let mut due = item.due.load(Ordering::Relaxed);
            if due == UNKNOWN {
                due = (1.0 / weight(index)).to_bits();
                item.due.store(due, Ordering::Relaxed);
            }
            let ticket = item.ticket.load(Ordering::Relaxed);
            // Of positive numbers, the bits are ordered as the numbers are.
            if best.is_none_or(|(_, least, earliest)| (due, ticket) < (least, earliest)) {
                best = Some((index, due, ticket));
            }
        }
        best.map(|(index, due, _)| (index, due))
    }
}

#[cfg(test)]
mod tests {
    use super::{Deadlines, turns};

    #[test]
    fn turns_follow_weights_and_are_spread() {
        // At the end of the period all three are due, and the two that waited all along go first.
        assert_eq!(turns(&[5, 1, 1]), [0, 0, 0, 0, 1, 2, 0]);
        assert_eq!(turns(&[2, 3]), [1, 0, 1, 0, 1]);
        assert_eq!(turns(&[100, 0, 100]), [0, 2]);
        assert!(turns(&[0, 0]).is_empty());
        assert!(turns(&[]).is_empty());
    }

    #[test]
    fn huge_weights_are_rounded_but_nobody_is_lost() {
        let turns = turns(&[u64::from(u32::MAX), 1, 7]);
        assert!(turns.len() <= 4100);
        assert_eq!(turns.iter().filter(|t| **t == 1).count(), 1);
    }

    #[test]
    fn changing_weights_take_the_same_turns_while_they_do_not_change() {
        // Powers of two: their inverses add up without rounding.
        for weights in [&[4_u32, 1, 1][..], &[2, 4], &[1, 1, 1], &[4, 2, 2, 8]] {
            let fixed: Vec<u64> = weights.iter().map(|w| u64::from(*w)).collect();
            let expected = turns(&fixed);
            let deadlines = Deadlines::new(weights.len());
            for period in 0..3 {
                let drawn: Vec<u32> = expected
                    .iter()
                    .map(|_| deadlines.next(|i| f64::from(weights[i])).unwrap() as u32)
                    .collect();
                assert_eq!(drawn, expected, "{weights:?} in period {period}");
            }
        }
    }
}
