//! Which rules the tests reached.

use crate::report::Rule;

/// How much of the configuration the tests look at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coverage {
    /// What is counted, in the order of the configuration.
    pub rules: Vec<CoveredRule>,
}

/// A rule with what is known of the tests that reached it.
#[derive(Clone, Debug, PartialEq)]
pub struct CoveredRule {
    /// The rule.
    pub rule: Rule,
    /// How many tests reached it in a way that counts.
    pub tests: usize,
    /// Whether a request of some test came to it at all.
    pub visited: bool,
    /// Its share of what could be looked at, from 0 to 1; 1 or 0 where only reaching it counts.
    pub share: f64,
}

impl CoveredRule {
    /// A rule that so many tests reached.
    #[must_use]
    pub fn reached(rule: Rule, tests: usize) -> Self {
        Self { rule, tests, visited: tests > 0, share: if tests > 0 { 1.0 } else { 0.0 } }
    }
}

impl Coverage {
    /// The share of rules that are covered, in percent. Where there is no rule, nothing is missing.
    #[must_use]
    pub fn percent(&self) -> f64 {
        if self.rules.is_empty() {
            return 100.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 rules")]
        let all = self.rules.len() as f64;
        self.rules.iter().map(|rule| rule.share).sum::<f64>() * 100.0 / all
    }

    /// Adds what other tests reached. A rule that both know is one.
    pub fn merge(&mut self, other: Self) {
        for covered in other.rules {
            match self.rules.iter_mut().find(|known| known.rule == covered.rule) {
                Some(known) => {
                    known.tests += covered.tests;
                    known.visited |= covered.visited;
                    known.share = known.share.max(covered.share);
                }
                None => self.rules.push(covered),
            }
        }
    }

    /// The rules to which no test's request came.
    pub fn dead(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| !rule.visited).map(|rule| &rule.rule)
    }

    /// The rules to which requests came, and of which nothing that counts was found to be as expected.
    pub fn visited_in_vain(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.visited && rule.tests == 0).map(|rule| &rule.rule)
    }

    /// How many rules tests reached.
    #[must_use]
    pub fn reached(&self) -> usize {
        self.rules.iter().filter(|rule| rule.tests > 0).count()
    }
}

#[cfg(test)]
mod tests {
    use super::{Coverage, CoveredRule};
    use crate::report::Rule;

    #[test]
    fn percent_is_of_rules_and_nothing_is_all_covered() {
        let rule = |name: &str| Rule { name: name.into(), place: None };
        let half = vec![CoveredRule::reached(rule("a"), 2), CoveredRule::reached(rule("b"), 0)];
        let coverage = Coverage { rules: half };
        assert!((coverage.percent() - 50.0).abs() < f64::EPSILON);
        assert_eq!(coverage.dead().map(|r| &*r.name).collect::<Vec<_>>(), ["b"]);
        assert!((Coverage::default().percent() - 100.0).abs() < f64::EPSILON);
    }
}
