//! Languages by number: each exists once, and what was put together before is not put together again.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use crate::budget::{Budget, TooComplex};
use crate::dfa::{Combination, Dfa};
use crate::text::Text;

/// A set of texts. Equal numbers of one [`Algebra`] are equal sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Language(u32);

impl Language {
    /// No text.
    pub(crate) const NOTHING: Self = Self(0);
    /// Every text.
    pub(crate) const EVERYTHING: Self = Self(1);
}

/// All languages of one comparison, and the work that may go into them.
#[derive(Debug)]
pub(crate) struct Algebra {
    automata: Vec<Arc<Dfa>>,
    numbers: HashMap<Arc<Dfa>, Language, FixedState>,
    combined: HashMap<(Combination, Language, Language), Language, FixedState>,
    texts: HashMap<Text, Result<Language, TooComplex>, FixedState>,
    pub(crate) budget: Budget,
}

impl Algebra {
    /// An algebra that may spend `budget`.
    pub(crate) fn new(budget: Budget) -> Self {
        let mut algebra = Self {
            automata: Vec::new(),
            numbers: HashMap::default(),
            combined: HashMap::default(),
            texts: HashMap::default(),
            budget,
        };
        algebra.intern(Dfa::nothing());
        algebra.intern(Dfa::everything());
        algebra
    }

    /// States of all automata: what the memory goes into.
    pub(crate) fn size(&self) -> usize {
        self.automata.iter().map(|automaton| automaton.len()).sum()
    }

    /// Lets texts be tried again that the work did not suffice for.
    pub(crate) fn forget_refusals(&mut self) {
        self.texts.retain(|_, built| built.is_ok());
    }

    fn intern(&mut self, automaton: Dfa) -> Language {
        let automaton = Arc::new(automaton);
        let fresh = Language(u32::try_from(self.automata.len()).unwrap_or(u32::MAX));
        let number = *self.numbers.entry(Arc::clone(&automaton)).or_insert(fresh);
        if number == fresh {
            self.automata.push(automaton);
        }
        number
    }

    fn automaton(&self, language: Language) -> Option<&Arc<Dfa>> {
        self.automata.get(language.0 as usize)
    }

    /// The texts that fit.
    pub(crate) fn of(&mut self, text: &Text) -> Result<Language, TooComplex> {
        if let Some(known) = self.texts.get(text) {
            return *known;
        }
        let built = text.automaton().and_then(|automaton| {
            self.budget.spend(automaton.len())?;
            Ok(self.intern(automaton))
        });
        self.texts.insert(text.clone(), built);
        built
    }

    /// Texts in both.
    pub(crate) fn and(&mut self, a: Language, b: Language) -> Result<Language, TooComplex> {
        match (a, b) {
            (Language::EVERYTHING, other) | (other, Language::EVERYTHING) => Ok(other),
            (Language::NOTHING, _) | (_, Language::NOTHING) => Ok(Language::NOTHING),
            (a, b) if a == b => Ok(a),
            (a, b) => self.combine(Combination::And, a.min(b), a.max(b)),
        }
    }

    /// Texts in either.
    pub(crate) fn or(&mut self, a: Language, b: Language) -> Result<Language, TooComplex> {
        match (a, b) {
            (Language::NOTHING, other) | (other, Language::NOTHING) => Ok(other),
            (a, b) if a == b => Ok(a),
            (a, b) => self.combine(Combination::Or, a.min(b), a.max(b)),
        }
    }

    /// Texts in `a` that are not in `b`.
    pub(crate) fn without(&mut self, a: Language, b: Language) -> Result<Language, TooComplex> {
        match (a, b) {
            (Language::NOTHING, _) | (_, Language::EVERYTHING) => Ok(Language::NOTHING),
            (a, Language::NOTHING) => Ok(a),
            (a, b) if a == b => Ok(Language::NOTHING),
            (a, b) => self.combine(Combination::Without, a, b),
        }
    }

    fn combine(
        &mut self,
        how: Combination,
        a: Language,
        b: Language,
    ) -> Result<Language, TooComplex> {
        if let Some(known) = self.combined.get(&(how, a, b)) {
            return Ok(*known);
        }
        let both = (self.automaton(a).cloned(), self.automaton(b).cloned());
        let (Some(first), Some(second)) = both else { return Err(TooComplex) };
        let combined = first.combined(how, &second, &mut self.budget)?;
        let combined = self.intern(combined);
        self.combined.insert((how, a, b), combined);
        Ok(combined)
    }

    /// A shortest text of `language`.
    pub(crate) fn word(&self, language: Language) -> Option<Vec<u8>> {
        self.automaton(language)?.word()
    }

    /// Whether `text` is in `language`.
    pub(crate) fn contains(&self, language: Language, text: &[u8]) -> bool {
        self.automaton(language).is_some_and(|automaton| automaton.accepts(text))
    }
}
