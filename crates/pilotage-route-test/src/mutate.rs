//! Are the tests any good? Small changes to the rules, one at a time, each of which some test should notice.
//!
//! Rules are changed as objects, before anything is compiled, and only rules that tests reach: the others are listed by
//! the coverage already. Where there are more changes than are wanted, a choice is made that depends on the seed alone.

mod edits;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use pilotage_config::{Kind, Object};
use pilotage_model::Inputs;

use self::edits::{Action, Edit};
use crate::native::{Stage, TestFile};
use crate::report::{Mismatch, Place, Rule, Suite, TestResult, Verdict};
use crate::rules;

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Chooses which changes are tried, where there are more than `most`.
    pub seed: u64,
    /// The most changes that are tried.
    pub most: usize,
}

/// What came of changing the configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mutations {
    /// How many changes there are to try.
    pub possible: usize,
    /// Those that were tried, in the order of the configuration.
    pub tried: Vec<Mutation>,
}

/// A change that was tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Mutation {
    /// Rule and line.
    pub rule: Rule,
    /// What was changed, in words.
    pub change: String,
    /// Whether a test noticed.
    pub noticed: bool,
}

/// A change to try.
struct Site {
    object: usize,
    index: usize,
    rule: Rule,
    edit: Edit,
}

/// Changes the configuration of `inputs` and runs the tests of `files` on each change. All tests should pass without
/// any.
#[must_use]
pub fn run(inputs: &Inputs, files: &[&TestFile], options: Options) -> Mutations {
    let mut stage = Stage::new(inputs);
    for file in files {
        // For what they reach.
        drop(crate::native::run(file, &mut stage));
    }
    let all = sites(inputs, &stage);
    let possible = all.len();
    let tried = chosen(all, options).into_iter().map(|site| {
        let changed = site.applied(inputs);
        let mut stage = Stage::new(&changed);
        let noticed = !files.iter().all(|file| crate::native::hold(file, &mut stage));
        Mutation { rule: site.rule, change: site.edit.words, noticed }
    });
    Mutations { possible, tried: tried.collect() }
}

/// Every change to a rule that tests reach.
fn sites(inputs: &Inputs, stage: &Stage) -> Vec<Site> {
    let others = edits::Destinations::of(&inputs.objects);
    let mut sites = Vec::new();
    for (number, object) in inputs.objects.iter().enumerate() {
        let Kind::VirtualService(service) = &object.body else { continue };
        let reference = object.reference().to_string();
        for (index, rule) in service.http.iter().enumerate() {
            if !stage.reached(&reference, &format!("spec.http[{index}]")) {
                continue;
            }
            for edit in edits::of(&service.http, index, &others) {
                let span = object.spans.key(&edit.path).unwrap_or(object.source.span);
                let name = rules::title(&reference, index, rule);
                let rule = Rule { name, place: Some(Place::new(&object.source.file, span)) };
                sites.push(Site { object: number, index, rule, edit });
            }
        }
    }
    sites
}

/// Not more of `all` than are wanted, in their order.
fn chosen(all: Vec<Site>, options: Options) -> Vec<Site> {
    if all.len() <= options.most {
        return all;
    }
    let mut order: Vec<(u64, usize)> =
        (0..all.len()).map(|index| (mixed(options.seed, index), index)).collect();
    order.sort_unstable();
    let kept: BTreeSet<usize> = order.into_iter().take(options.most).map(|(_, i)| i).collect();
    all.into_iter().enumerate().filter(|(i, _)| kept.contains(i)).map(|(_, site)| site).collect()
}

/// A number that looks random and is not: the finalizer of SplitMix64.
fn mixed(seed: u64, index: usize) -> u64 {
    let index = u64::try_from(index).unwrap_or(u64::MAX);
    let mut z = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Site {
    /// The configuration with this change.
    fn applied(&self, inputs: &Inputs) -> Inputs {
        let mut changed = inputs.clone();
        let Some(slot) = changed.objects.get_mut(self.object) else { return changed };
        let mut object = Object::clone(slot);
        if let Kind::VirtualService(service) = &mut object.body {
            let rules = &mut Arc::make_mut(service).http;
            match &self.edit.action {
                Action::Remove => {
                    rules.remove(self.index);
                }
                Action::SwapWithNext => rules.swap(self.index, self.index + 1),
                Action::Change(change) => {
                    if let Some(rule) = rules.get_mut(self.index) {
                        change(Arc::make_mut(rule));
                    }
                }
            }
        }
        *slot = Arc::new(object);
        changed
    }
}

impl Mutations {
    /// The changes that no test noticed.
    pub fn unnoticed(&self) -> impl Iterator<Item = &Mutation> {
        self.tried.iter().filter(|mutation| !mutation.noticed)
    }

    /// Adds what was tried on another configuration.
    pub fn merge(&mut self, other: Self) {
        self.possible += other.possible;
        self.tried.extend(other.tried);
    }

    /// As tests that a test fails for each change, for formats that know only tests.
    #[must_use]
    pub fn suite(&self) -> Suite {
        let tests = self.tried.iter().map(|mutation| TestResult {
            name: format!("{}: {}", mutation.rule.name, mutation.change),
            place: mutation.rule.place.clone().unwrap_or_default(),
            asked: "all tests".to_owned(),
            from: None,
            taken_by: None,
            verdict: if mutation.noticed {
                Verdict::Passed
            } else {
                Verdict::Failed(vec![Mismatch {
                    what: "mutation".to_owned(),
                    expected: "a test to fail".to_owned(),
                    got: "all tests pass".to_owned(),
                }])
            },
        });
        Suite { file: "mutations".into(), tests: tests.collect() }
    }
}
