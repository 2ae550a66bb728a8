//! The age of objects, which decides most conflicts between them.

use std::cmp::Ordering;

use pilotage_config::Timestamp;

/// When an object was created. An object without a time stamp, as in a folder of YAML, counts as newer than every
/// object that has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Age(Option<Timestamp>);

impl Age {
    /// The age of an object with this `metadata.creationTimestamp`.
    #[must_use]
    pub fn new(creation_timestamp: Option<Timestamp>) -> Self {
        Self(creation_timestamp)
    }
}

impl PartialOrd for Age {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Oldest first.
impl Ord for Age {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Some(mine), Some(theirs)) => mine.cmp(theirs),
            (mine, theirs) => mine.is_none().cmp(&theirs.is_none()),
        }
    }
}

#[cfg(test)]
mod tests {
    use pilotage_config::Timestamp;

    use super::Age;

    #[test]
    fn objects_without_a_time_are_the_newest() {
        let old = Age::new(Timestamp::parse("2025-01-01T00:00:00Z"));
        let new = Age::new(Timestamp::parse("2025-02-01T00:00:00Z"));
        let mut ages = [Age::default(), new, old];
        ages.sort();
        assert_eq!(ages, [old, new, Age::new(None)]);
    }
}
