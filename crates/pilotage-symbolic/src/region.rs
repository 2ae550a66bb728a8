//! Sets of requests that are given by independent conditions, and what is left of one when others are taken away.

use crate::algebra::{Algebra, Language};
use crate::budget::TooComplex;
use crate::condition::{Condition, Dimension, Test};
use crate::universe::Universe;

/// What a part of a request may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Values {
    /// Whether it may be missing.
    pub(crate) absent: bool,
    /// What it may be when it is there.
    pub(crate) present: Language,
}

impl Values {
    pub(crate) const NONE: Self = Self { absent: false, present: Language::NOTHING };

    pub(crate) fn and(self, other: Self, algebra: &mut Algebra) -> Result<Self, TooComplex> {
        let present = algebra.and(self.present, other.present)?;
        Ok(Self { absent: self.absent && other.absent, present })
    }

    pub(crate) fn without(self, other: Self, algebra: &mut Algebra) -> Result<Self, TooComplex> {
        let present = algebra.without(self.present, other.present)?;
        Ok(Self { absent: self.absent && !other.absent, present })
    }
}

/// The requests whose parts are among given values; parts that are not named may be anything. Ordered by part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Region(Vec<(usize, Values)>);

impl Region {
    /// What `part` may be, unless it may be anything.
    pub(crate) fn get(&self, part: usize) -> Option<Values> {
        let place = self.0.binary_search_by_key(&part, |(part, _)| *part).ok()?;
        self.0.get(place).map(|(_, values)| *values)
    }

    pub(crate) fn set(&mut self, part: usize, values: Values) {
        match self.0.binary_search_by_key(&part, |(part, _)| *part) {
            Ok(place) => {
                if let Some((_, old)) = self.0.get_mut(place) {
                    *old = values;
                }
            }
            Err(place) => self.0.insert(place, (part, values)),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, Values)> {
        self.0.iter().copied()
    }
}

/// The parts of requests that a comparison looks at, each with all that it may be.
#[derive(Debug)]
pub(crate) struct Space {
    pub(crate) algebra: Algebra,
    universe: Universe,
    parts: Vec<(Dimension, Values)>,
}

impl Space {
    pub(crate) fn new(algebra: Algebra, universe: Universe) -> Self {
        Self { algebra, universe, parts: Vec::new() }
    }

    /// Ends the comparison; the languages stay known for the next one.
    pub(crate) fn into_algebra(self) -> Algebra {
        self.algebra
    }

    /// Limits what `dimension` may be, before anything else is said of it.
    pub(crate) fn limit(&mut self, dimension: Dimension, values: Values) {
        self.parts.push((dimension, values));
    }

    pub(crate) fn dimension(&self, part: usize) -> Option<&Dimension> {
        self.parts.get(part).map(|(dimension, _)| dimension)
    }

    /// All that `part` may be.
    pub(crate) fn all(&self, part: usize) -> Values {
        self.parts.get(part).map_or(Values::NONE, |(_, all)| *all)
    }

    /// What `part` may be in `region`.
    pub(crate) fn values(&self, region: &Region, part: usize) -> Values {
        region.get(part).unwrap_or_else(|| self.all(part))
    }

    /// The number of `dimension`.
    pub(crate) fn part(&mut self, dimension: &Dimension) -> Result<usize, TooComplex> {
        if let Some(known) = self.parts.iter().position(|(known, _)| known == dimension) {
            return Ok(known);
        }
        let all = self.universe.all(dimension, &mut self.algebra)?;
        self.parts.push((dimension.clone(), all));
        Ok(self.parts.len() - 1)
    }

    /// The part that `condition` is about, and what it may be.
    pub(crate) fn fitting(&mut self, condition: &Condition) -> Result<(usize, Values), TooComplex> {
        let part = self.part(&condition.dimension)?;
        let all = self.all(part);
        let (language, has_empty) = match &condition.test {
            Test::Present => (Language::EVERYTHING, true),
            Test::Text(text) => {
                let language = self.algebra.of(text)?;
                (language, self.algebra.contains(language, b""))
            }
        };
        let present = match condition.inverted {
            false => self.algebra.and(all.present, language)?,
            true => self.algebra.without(all.present, language)?,
        };
        let empty_fits = condition.missing_is_empty && has_empty != condition.inverted;
        let absent = all.absent && (condition.missing_fits || empty_fits);
        Ok((part, Values { absent, present }))
    }

    /// The requests that fulfil all `conditions`; `None`: there are none.
    pub(crate) fn region<'c>(
        &mut self,
        conditions: impl IntoIterator<Item = &'c Condition>,
    ) -> Result<Option<Region>, TooComplex> {
        let mut region = Region::default();
        for condition in conditions {
            let (part, values) = self.fitting(condition)?;
            let left = self.values(&region, part).and(values, &mut self.algebra)?;
            if left == Values::NONE {
                return Ok(None);
            }
            region.set(part, left);
        }
        Ok(Some(region))
    }

    /// The requests in both; `None`: there are none.
    pub(crate) fn both(&mut self, a: &Region, b: &Region) -> Result<Option<Region>, TooComplex> {
        let mut both = a.clone();
        for (part, values) in b.iter() {
            let left = self.values(&both, part).and(values, &mut self.algebra)?;
            if left == Values::NONE {
                return Ok(None);
            }
            both.set(part, left);
        }
        Ok(Some(both))
    }

    /// Whether every request of `inner` is in `outer`.
    pub(crate) fn is_within(&mut self, inner: &Region, outer: &Region) -> Result<bool, TooComplex> {
        for (part, values) in outer.iter() {
            if self.values(inner, part).without(values, &mut self.algebra)? != Values::NONE {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
