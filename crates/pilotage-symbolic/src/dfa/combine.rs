//! Both, either, one without the other.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::build::{MOST_STATES, Sketch};
use super::{ByteClasses, Dfa};
use crate::budget::{Budget, TooComplex};

/// How two languages are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Combination {
    /// Texts in both.
    And,
    /// Texts in either.
    Or,
    /// Texts in the first only.
    Without,
}

impl Combination {
    fn of(self, first: bool, second: bool) -> bool {
        match self {
            Self::And => first && second,
            Self::Or => first || second,
            Self::Without => first && !second,
        }
    }

    /// The answer that is certain once the first automaton (the second) can only say `first` (`second`) any more.
    fn settled(self, first: Option<bool>, second: Option<bool>) -> Option<bool> {
        match (self, first, second) {
            (_, Some(first), Some(second)) => Some(self.of(first, second)),
            (Self::And, Some(false), None) | (Self::And, None, Some(false)) => Some(false),
            (Self::Or, Some(true), None) | (Self::Or, None, Some(true)) => Some(true),
            (Self::Without, Some(false), None) | (Self::Without, None, Some(true)) => Some(false),
            _ => None,
        }
    }
}

impl Dfa {
    /// `self` and `other` put together.
    pub(crate) fn combined(
        &self,
        how: Combination,
        other: &Self,
        budget: &mut Budget,
    ) -> Result<Self, TooComplex> {
        let (classes, pairs) = ByteClasses::refined(&self.classes, &other.classes);
        let sinks = [self.sink(true), self.sink(false), other.sink(true), other.sink(false)];
        let settled = |(a, b): (u32, u32)| {
            let of = |state, yes, no| {
                if yes == Some(state) { Some(true) } else { (no == Some(state)).then_some(false) }
            };
            let [yes, no, other_yes, other_no] = sinks;
            how.settled(of(a, yes, no), of(b, other_yes, other_no))
        };
        let mut numbers: HashMap<(u32, u32), u32, FixedState> = HashMap::default();
        // Where the answer is certain one state is enough, whatever the pair.
        let mut certain: [Option<u32>; 2] = [None, None];
        let mut states: Vec<((u32, u32), Option<bool>)> = Vec::new();
        let mut number = |pair, states: &mut Vec<_>| {
            let fresh = u32::try_from(states.len()).unwrap_or(u32::MAX);
            let answer = settled(pair);
            let slot = match answer {
                Some(answer) => certain
                    .get_mut(usize::from(answer))
                    .map_or(fresh, |slot| *slot.get_or_insert(fresh)),
                None => *numbers.entry(pair).or_insert(fresh),
            };
            if slot == fresh {
                states.push((pair, answer));
            }
            slot
        };
        number((0, 0), &mut states);
        let (mut next, mut accepts) = (Vec::new(), Vec::new());
        let mut at = 0;
        while let Some(((a, b), answer)) = states.get(at).copied() {
            let own = u32::try_from(at).unwrap_or(u32::MAX);
            at += 1;
            accepts.push(how.of(self.is_accepting(a), other.is_accepting(b)));
            for (first, second) in &pairs {
                next.push(match answer {
                    Some(_) => own,
                    None => {
                        let pair = (self.next(a, *first), other.next(b, *second));
                        number(pair, &mut states)
                    }
                });
            }
            budget.spend(pairs.len())?;
            if states.len() > MOST_STATES {
                return Err(TooComplex);
            }
        }
        // Minimizing takes about as long again for each of a few rounds.
        budget.spend(next.len().saturating_mul(2))?;
        Ok(Sketch { classes, next, accepts }.minimal())
    }
}

impl ByteClasses {
    /// The classes of bytes that neither `a` nor `b` tells apart, and for each its class in both.
    fn refined(a: &Self, b: &Self) -> (Self, Vec<(usize, usize)>) {
        let mut pairs: Vec<(usize, usize)> = Vec::new();
        let mut numbers: HashMap<(usize, usize), u8, FixedState> = HashMap::default();
        let mut of = Box::new([0_u8; 256]);
        for (byte, slot) in (0..=u8::MAX).zip(of.iter_mut()) {
            let pair = (a.of(byte), b.of(byte));
            let fresh = u8::try_from(pairs.len()).unwrap_or(u8::MAX);
            *slot = *numbers.entry(pair).or_insert_with(|| {
                pairs.push(pair);
                fresh
            });
        }
        (Self::new(of), pairs)
    }
}
