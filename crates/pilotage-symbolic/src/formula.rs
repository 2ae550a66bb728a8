//! Conditions in words: what a class of requests has in common, without what goes without saying.

use std::fmt;

use crate::budget::TooComplex;
use crate::condition::Condition;
use crate::region::{Region, Space};
use crate::witness::Request;

/// Exceptions that are compared with each other; beyond, all are told.
const MOST_COMPARED: usize = 60;
/// Exceptions in a line for people.
const MOST_SHOWN: usize = 5;

/// All of some conditions hold, and of some other lists of conditions none holds as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Formula {
    /// What holds.
    pub all: Vec<Condition>,
    /// What does not hold: of each list at least one.
    pub except: Vec<Vec<Condition>>,
}

/// The requests that fulfil `conditions` and belong to none of `earlier`, told in short.
pub(crate) fn formula(
    space: &mut Space,
    conditions: Vec<&Condition>,
    earlier: &[(Vec<&Condition>, &Region)],
) -> Result<Formula, TooComplex> {
    let all = needed(space, conditions)?;
    let Some(base) = space.region(&all)? else { return Ok(Formula { all, except: Vec::new() }) };
    let mut except: Vec<(Vec<Condition>, Region)> = Vec::new();
    let mut told: Vec<&Vec<&Condition>> = Vec::new();
    for (conditions, region) in earlier {
        if told.contains(&conditions) {
            continue;
        }
        told.push(conditions);
        let Some(common) = space.both(&base, region)? else { continue };
        let mut rest = Vec::new();
        for condition in conditions {
            let (part, values) = space.fitting(condition)?;
            let own = space.values(&base, part);
            if own.and(values, &mut space.algebra)? != own {
                rest.push((*condition).clone());
            }
        }
        rest.sort();
        if !except.iter().any(|(known, _)| *known == rest) {
            except.push((rest, common));
        }
    }
    if except.len() <= MOST_COMPARED {
        let mut at = 0;
        while at < except.len() {
            let is_covered = covered(space, &except, at)?;
            if is_covered {
                except.remove(at);
            } else {
                at += 1;
            }
        }
    }
    Ok(Formula { all, except: except.into_iter().map(|(conditions, _)| conditions).collect() })
}

/// Whether another exception takes all that exception number `at` takes.
fn covered(
    space: &mut Space,
    except: &[(Vec<Condition>, Region)],
    at: usize,
) -> Result<bool, TooComplex> {
    let Some((conditions, region)) = except.get(at) else { return Ok(false) };
    for (index, (theirs, other)) in except.iter().enumerate() {
        // Of two that take the same, the earlier one stays.
        if index == at || Condition::exclude(conditions, theirs) {
            continue;
        }
        let wins = index < at || !space.is_within(other, region)?;
        if wins && space.is_within(region, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `conditions` without those that follow from the others.
fn needed(space: &mut Space, conditions: Vec<&Condition>) -> Result<Vec<Condition>, TooComplex> {
    let mut all: Vec<Condition> = conditions.into_iter().cloned().collect();
    all.sort();
    all.dedup();
    let mut at = 0;
    while let Some(candidate) = all.get(at).cloned() {
        let others: Vec<&Condition> = all
            .iter()
            .filter(|other| **other != candidate && other.dimension == candidate.dimension)
            .collect();
        let (part, values) = space.fitting(&candidate)?;
        let follows = match space.region(others)? {
            Some(region) => {
                let own = space.values(&region, part);
                own.and(values, &mut space.algebra)? == own
            }
            None => false,
        };
        if follows {
            all.remove(at);
        } else {
            at += 1;
        }
    }
    Ok(all)
}

impl Formula {
    /// Whether `request` is one of those that are meant.
    #[must_use]
    pub fn holds(&self, request: &Request) -> bool {
        let all = |conditions: &[Condition]| conditions.iter().all(|one| one.holds(request));
        all(&self.all) && !self.except.iter().any(|conditions| all(conditions))
    }

    /// The parts in words: what holds, then what does not.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let all = self.all.iter().map(|condition| condition.words(true));
        all.chain(self.except.iter().map(|conditions| exception(conditions))).collect()
    }
}

fn exception(conditions: &[Condition]) -> String {
    match conditions {
        [only] => only.words(false),
        several => {
            let words: Vec<String> = several.iter().map(|one| one.words(true)).collect();
            format!("not ({})", words.join(" and "))
        }
    }
}

/// In one line; of many exceptions the first few.
impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = self.words();
        let shown = self.all.len() + MOST_SHOWN;
        let more = words.len().saturating_sub(shown);
        words.truncate(shown);
        f.write_str(&words.join(", "))?;
        if more > 0 {
            write!(f, ", and none of {more} more exceptions")?;
        }
        Ok(())
    }
}
