//! Two lists of rules: the requests for which something else happens.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::budget::TooComplex;
use crate::condition::{Condition, Dimension, Test};
use crate::formula::{Formula, formula};
use crate::outcome::{Agreement, Origin};
use crate::outcome::{Change, ClusterChanges, Facet, Outcome};
use crate::region::{Region, Space};
use crate::rules::{Rule, Rules, Taker};
use crate::search::left_over;
use crate::text::{Comparison, Text};

/// Requests of one host that change in the same way.
#[derive(Clone, Debug)]
pub(crate) struct Class {
    /// In what they change.
    pub(crate) changes: Vec<Change>,
    /// Which requests: any of these. One that says nothing means all.
    pub(crate) alternatives: Vec<Formula>,
    /// Requests of each alternative, with who takes them on both sides.
    pub(crate) examples: Vec<(Region, [Taker; 2])>,
    pub(crate) was: Vec<Origin>,
    pub(crate) becomes: Vec<Origin>,
}

/// A pair of rules that some requests go through, before and after.
struct Meeting {
    old: usize,
    new: usize,
    changes: Vec<Change>,
    formula: Formula,
    example: Region,
    /// Whether some requests that go through both rules do not change.
    is_partial: bool,
}

/// The requests for which `old` and `new` do not do the same.
pub(crate) fn compare(
    space: &mut Space,
    old: &mut Rules,
    new: &mut Rules,
    policies: &ClusterChanges,
) -> Result<Vec<Class>, TooComplex> {
    old.survey(space)?;
    new.survey(space)?;
    let comparison = Comparing { identities: identities(old, new), old, new, policies };
    let mut meetings = Vec::new();
    for old_index in 0..comparison.old.all.len() {
        for new_index in 0..comparison.new.all.len() {
            meetings.extend(comparison.meeting(space, old_index, new_index)?);
        }
    }
    comparison.classes(space, meetings)
}

struct Comparing<'a> {
    old: &'a Rules,
    new: &'a Rules,
    policies: &'a ClusterChanges,
    /// Numbers of outcomes: equal ones are equal but for path rewrites. Old ones, then new ones.
    identities: [Vec<usize>; 2],
}

fn identities(old: &Rules, new: &Rules) -> [Vec<usize>; 2] {
    let mut numbers: HashMap<Vec<(Facet, String)>, usize, FixedState> = HashMap::default();
    [old, new].map(|rules| {
        let identity = |rule: &Rule| {
            let fresh = numbers.len();
            *numbers.entry(rule.outcome.identity()).or_insert(fresh)
        };
        rules.all.iter().map(identity).collect()
    })
}

/// Whether two outcomes are the same.
enum Sameness {
    Same,
    /// For this path only.
    SameFor(String),
    Different {
        rewrite_alike: bool,
    },
}

impl Comparing<'_> {
    fn sameness(
        &self,
        (old_index, old): (usize, &Outcome),
        (new_index, new): (usize, &Outcome),
    ) -> Sameness {
        let agreement = match (&old.rewrite, &new.rewrite) {
            (None, None) => Agreement::Always,
            (Some(old), Some(new)) => old.agrees(new),
            (None, Some(_)) | (Some(_), None) => Agreement::Unknown,
        };
        let [olds, news] = &self.identities;
        let same = olds.get(old_index) == news.get(new_index)
            && !old.clusters.iter().any(|cluster| self.policies.contains_key(cluster));
        match agreement {
            Agreement::Always if same => Sameness::Same,
            Agreement::OnlyFor(path) if same => Sameness::SameFor(path),
            other => Sameness::Different { rewrite_alike: other == Agreement::Always },
        }
    }

    /// What changes for requests that go through rule `old_index` before and `new_index` after; `None`: nothing, or there
    /// are none.
    fn meeting(
        &self,
        space: &mut Space,
        old_index: usize,
        new_index: usize,
    ) -> Result<Option<Meeting>, TooComplex> {
        let (Some(old), Some(new)) = (self.old.all.get(old_index), self.new.all.get(new_index))
        else {
            return Ok(None);
        };
        if old.excludes(new) {
            return Ok(None);
        }
        let sameness = self.sameness((old_index, &old.outcome), (new_index, &new.outcome));
        let (alike_for, rewrite_alike) = match sameness {
            Sameness::Same => return Ok(None),
            Sameness::SameFor(path) => (Some(path), false),
            Sameness::Different { rewrite_alike } => (None, rewrite_alike),
        };
        let alike_for = alike_for.map(|path| {
            Condition::of(Dimension::Path, Test::Text(Text::new(Comparison::Exact, &path)))
        });
        let is_partial = alike_for.is_some();
        let alike_region = match &alike_for {
            Some(condition) => space.region([condition])?,
            None => None,
        };
        let extra = alike_for.iter().map(|one| vec![one]).zip(&alike_region).collect();
        let Some((example, earlier)) = self.left(space, old_index, new_index, extra)? else {
            return Ok(None);
        };
        let both = old.conditions.iter().chain(&new.conditions).flatten().collect();
        let formula = formula(space, both, &earlier)?;
        let changes = old.outcome.changes(&new.outcome, rewrite_alike, self.policies);
        Ok(Some(Meeting { old: old_index, new: new_index, changes, formula, example, is_partial }))
    }

    /// Some requests that go through both rules, and what is taken away before them; `None`: there are none.
    #[expect(clippy::type_complexity, reason = "two lists that belong together, for one caller")]
    fn left<'r>(
        &'r self,
        space: &mut Space,
        old_index: usize,
        new_index: usize,
        extra: Vec<(Vec<&'r Condition>, &'r Region)>,
    ) -> Result<Option<(Region, Vec<(Vec<&'r Condition>, &'r Region)>)>, TooComplex> {
        let region = |rules: &'r Rules, index: usize| rules.regions.get(index)?.as_ref();
        let (Some(first), Some(second)) =
            (region(self.old, old_index), region(self.new, new_index))
        else {
            return Ok(None);
        };
        let Some(base) = space.both(first, second)? else { return Ok(None) };
        let met = [self.old.all.get(old_index), self.new.all.get(new_index)];
        let met: Vec<&Rule> = met.into_iter().flatten().collect();
        let before = |rules: &'r Rules, index: usize| {
            let conditions = |rule: &'r Rule| rule.conditions.iter().flatten().collect();
            let earlier = rules.before(index, &met).into_iter();
            earlier.map(|(rule, region)| (conditions(rule), region)).collect::<Vec<_>>()
        };
        let mut earlier: Vec<(Vec<&Condition>, &Region)> = before(self.old, old_index);
        earlier.extend(before(self.new, new_index));
        earlier.extend(extra);
        let taken: Vec<&Region> = earlier.iter().map(|(_, region)| *region).collect();
        Ok(left_over(space, &base, &taken)?.map(|example| (example, earlier)))
    }

    /// Meetings that change in the same way, together.
    fn classes(&self, space: &mut Space, meetings: Vec<Meeting>) -> Result<Vec<Class>, TooComplex> {
        let mut groups: Vec<Vec<Meeting>> = Vec::new();
        for meeting in meetings {
            match groups
                .iter_mut()
                .find(|group| group.first().is_some_and(|m| m.changes == meeting.changes))
            {
                Some(group) => group.push(meeting),
                None => groups.push(vec![meeting]),
            }
        }
        let mut classes = Vec::new();
        for group in groups {
            classes.push(self.class(space, group)?);
        }
        Ok(classes)
    }

    fn class(&self, space: &mut Space, group: Vec<Meeting>) -> Result<Class, TooComplex> {
        let everything = group.len() > 1 && self.is_everything(space, &group)?;
        let origin = |rules: &Rules, index: usize| rules.all.get(index)?.outcome.origin.clone();
        let (mut was, mut becomes) = (Vec::new(), Vec::new());
        let mut class = Class {
            changes: group.first().map(|meeting| meeting.changes.clone()).unwrap_or_default(),
            alternatives: Vec::new(),
            examples: Vec::new(),
            was: Vec::new(),
            becomes: Vec::new(),
        };
        for meeting in group {
            was.extend(origin(self.old, meeting.old));
            becomes.extend(origin(self.new, meeting.new));
            let taker = |rules: &Rules, index: usize| {
                rules.all.get(index).map_or(Taker::Nobody, |rule| rule.taker)
            };
            let takers = [taker(self.old, meeting.old), taker(self.new, meeting.new)];
            class.examples.push((meeting.example, takers));
            if !everything && !class.alternatives.contains(&meeting.formula) {
                class.alternatives.push(meeting.formula);
            }
        }
        if everything {
            class.alternatives.push(Formula::default());
        }
        for origins in [&mut was, &mut becomes] {
            origins.sort();
            origins.dedup();
        }
        Ok(Class { was, becomes, ..class })
    }

    /// Whether every request of the host is in one of the meetings of `group`.
    fn is_everything(&self, space: &mut Space, group: &[Meeting]) -> Result<bool, TooComplex> {
        for old in 0..self.old.all.len() {
            for new in 0..self.new.all.len() {
                let is_in = group.iter().any(|meeting| (meeting.old, meeting.new) == (old, new));
                let rules = self.old.all.get(old).zip(self.new.all.get(new));
                if is_in || rules.is_none_or(|(old, new)| old.excludes(new)) {
                    continue;
                }
                if self.left(space, old, new, Vec::new())?.is_some() {
                    return Ok(false);
                }
            }
        }
        // A rewrite that is alike for one path leaves that path out.
        Ok(!group.iter().any(|meeting| meeting.is_partial))
    }
}
