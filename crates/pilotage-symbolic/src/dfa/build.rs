//! Automata of literal texts and of regular expressions.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::{start, syntax};
use regex_automata::{Anchored, MatchKind};

use super::{ByteClasses, Dfa};
use crate::budget::TooComplex;

/// Most memory that a regular expression's automaton may take while it is made, in bytes.
const MOST_BYTES: usize = 4 << 20;
/// Most states of an automaton.
pub(super) const MOST_STATES: usize = 20_000;

/// An automaton that may have states in excess.
pub(crate) struct Sketch {
    pub(super) classes: ByteClasses,
    pub(super) next: Vec<u32>,
    pub(super) accepts: Vec<bool>,
}

impl Dfa {
    /// Accepts `text`, and with `open_end` everything that begins with it.
    pub(crate) fn literal(text: &[u8], ignore_case: bool, open_end: bool) -> Self {
        let fold = |byte: u8| if ignore_case { byte.to_ascii_lowercase() } else { byte };
        let mut of = Box::new([0_u8; 256]);
        let mut numbers: HashMap<u8, u8, FixedState> = HashMap::default();
        for byte in text {
            // At most 255 bytes are told apart in UTF-8 texts, so that a number is left for all others.
            let fresh = u8::try_from(numbers.len() + 1).unwrap_or(u8::MAX);
            numbers.entry(fold(*byte)).or_insert(fresh);
        }
        for byte in 0..=u8::MAX {
            if let (Some(slot), Some(number)) =
                (of.get_mut(usize::from(byte)), numbers.get(&fold(byte)))
            {
                *slot = *number;
            }
        }
        let classes = ByteClasses::new(of);
        let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let (failed, states) = (end + 1, text.len() + 2);
        let mut next = vec![failed; states * classes.count];
        for (place, byte) in text.iter().enumerate() {
            if let Some(slot) = next.get_mut(place * classes.count + classes.of(*byte)) {
                *slot = u32::try_from(place + 1).unwrap_or(failed);
            }
        }
        let start = text.len() * classes.count;
        let tail = next.get_mut(start..start + classes.count);
        tail.into_iter().flatten().filter(|_| open_end).for_each(|slot| *slot = end);
        let accepts = (0..states).map(|state| state == text.len()).collect();
        Sketch { classes, next, accepts }.minimal()
    }

    /// Accepts the texts that `pattern` matches, which is anchored at both ends and reads bytes.
    pub(crate) fn of_regex(pattern: &str) -> Result<Self, TooComplex> {
        let config = dense::Config::new()
            .match_kind(MatchKind::All)
            .start_kind(StartKind::Anchored)
            .minimize(false)
            .accelerate(false)
            .dfa_size_limit(Some(MOST_BYTES))
            .determinize_size_limit(Some(MOST_BYTES));
        let nfa = thompson::Config::new().utf8(false).nfa_size_limit(Some(MOST_BYTES));
        let dense = dense::Builder::new()
            .configure(config)
            .syntax(syntax::Config::new().utf8(false))
            .thompson(nfa)
            .build(pattern)
            .map_err(|_| TooComplex)?;
        Sketch::of_dense(&dense).map(|sketch| sketch.minimal())
    }
}

impl Sketch {
    /// The same automaton without its delay: there, a match is known one byte later.
    fn of_dense(dense: &dense::DFA<Vec<u32>>) -> Result<Self, TooComplex> {
        let theirs = dense.byte_classes();
        let mut of = Box::new([0_u8; 256]);
        for (byte, slot) in (0..=u8::MAX).zip(of.iter_mut()) {
            *slot = theirs.get(byte);
        }
        let classes = ByteClasses::new(of);
        let representatives = classes.representatives();
        let anchored = start::Config::new().anchored(Anchored::Yes);
        let begin = dense.start_state(&anchored).map_err(|_| TooComplex)?;
        let mut numbers = HashMap::with_hasher(FixedState::default());
        numbers.insert(begin, 0_u32);
        let mut states = vec![begin];
        let (mut next, mut accepts) = (Vec::new(), Vec::new());
        let mut at = 0;
        while let Some(state) = states.get(at).copied() {
            at += 1;
            accepts.push(dense.is_match_state(dense.next_eoi_state(state)));
            for byte in &representatives {
                let to = dense.next_state(state, *byte);
                let fresh = u32::try_from(states.len()).map_err(|_| TooComplex)?;
                let number = *numbers.entry(to).or_insert(fresh);
                if number == fresh {
                    states.push(to);
                }
                next.push(number);
            }
            if states.len() > MOST_STATES {
                return Err(TooComplex);
            }
        }
        Ok(Self { classes, next, accepts })
    }
}
