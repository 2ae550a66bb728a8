//! Drawing one of several things by weight.

/// Things with weights, at least one of which can be drawn.
#[derive(Clone, Debug)]
pub(crate) struct Draw<T> {
    first: T,
    first_weight: u64,
    others: Vec<(T, u64)>,
    total: u64,
}

/// What a draw gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drawn<'a, T> {
    pub(crate) index: usize,
    pub(crate) value: &'a T,
    /// The number drawn, below `total`.
    pub(crate) point: u64,
    pub(crate) total: u64,
}

impl<T> Draw<T> {
    /// Only one thing.
    pub(crate) fn single(value: T) -> Self {
        Self { first: value, first_weight: 1, others: Vec::new(), total: 1 }
    }

    /// `None` when there is nothing to draw: no items, or all of weight 0.
    pub(crate) fn new(items: impl IntoIterator<Item = (T, u64)>) -> Option<Self> {
        let mut items = items.into_iter();
        let (first, first_weight) = items.next()?;
        let others: Vec<_> = items.collect();
        let total =
            others.iter().try_fold(first_weight, |sum, (_, weight)| sum.checked_add(*weight))?;
        (total > 0).then_some(Self { first, first_weight, others, total })
    }

    /// One of them. `random` is asked only when there is a choice.
    pub(crate) fn draw(&self, random: impl FnOnce() -> u64) -> Drawn<'_, T> {
        let total = self.total;
        let mut point =
            if self.others.is_empty() { 0 } else { random().checked_rem(total).unwrap_or(0) };
        let drawn = point;
        if point >= self.first_weight {
            point -= self.first_weight;
            for (index, (value, weight)) in self.others.iter().enumerate() {
                if point < *weight {
                    return Drawn { index: index + 1, value, point: drawn, total };
                }
                point -= weight;
            }
        }
        Drawn { index: 0, value: &self.first, point: drawn, total }
    }

    /// All of them with their weights.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&T, u64)> {
        let others = self.others.iter().map(|(value, weight)| (value, *weight));
        std::iter::once((&self.first, self.first_weight)).chain(others)
    }

    /// Number `index` of them.
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        match index.checked_sub(1) {
            None => Some(&self.first),
            Some(other) => self.others.get(other).map(|(value, _)| value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Draw;

    #[test]
    fn shares_follow_weights() {
        let draw = Draw::new([("a", 90), ("b", 0), ("c", 10)]).unwrap();
        let mut counts = [0; 3];
        for random in 0..1000 {
            counts[draw.draw(|| random).index] += 1;
        }
        assert_eq!(counts, [900, 0, 100]);
        assert!(Draw::new([("a", 0)]).is_none());
        assert!(Draw::<&str>::new([]).is_none());
    }

    #[test]
    fn a_single_item_needs_no_chance() {
        let draw = Draw::single("a");
        assert_eq!(draw.draw(|| panic!("asked")).value, &"a");
    }
}
