//! Two lists of rules: the requests for which something else happens.

use std::collections::HashSet;

use crate::budget::TooComplex;
use crate::condition::{Condition, Dimension, Test};
use crate::formula::{Formula, formula};
use crate::guess::Guess;
use crate::outcome::{Agreement, Change, ClusterChanges, Origin, Outcome, tidy};
use crate::region::{Region, Space};
use crate::rules::{Rule, Rules, Taker};
use crate::search::left_over;
use crate::text::{Comparison, Text};
use crate::witness::Request;

/// Requests of one host that change in the same way.
#[derive(Clone, Debug)]
pub(crate) struct Class {
    /// In what they change.
    pub(crate) changes: Vec<Change>,
    /// Which requests: any of these. One that says nothing means all.
    pub(crate) alternatives: Vec<Formula>,
    /// Requests of each alternative, with who takes them on both sides.
    pub(crate) examples: Vec<(Example, [Taker; 2])>,
    pub(crate) was: Vec<Origin>,
    pub(crate) becomes: Vec<Origin>,
}

/// What changes for one host.
#[derive(Debug)]
pub(crate) struct Classes {
    pub(crate) all: Vec<Class>,
    /// Whether these are all; if not, there are so many that the rest was not looked at.
    pub(crate) is_complete: bool,
}

/// A request, or where to find one.
#[derive(Clone, Debug)]
pub(crate) enum Example {
    /// This one, as the conditions tell.
    Obvious(Request),
    /// This one, as both engines have said.
    Asked(Request),
    /// Any of these.
    Within(Region),
}

/// Says who takes a request on both sides, as their engines decide.
pub(crate) type Engines<'e> = dyn Fn(&Request) -> Option<[Taker; 2]> + 'e;

/// A pair of rules that some requests go through, before and after.
struct Meeting<'r> {
    old: &'r Rule<'r>,
    new: &'r Rule<'r>,
    at: [usize; 2],
    changes: Vec<Change>,
    /// The requests that go through both and do not change.
    alike: Option<Condition>,
    example: Example,
}

/// What it counts for to look at a rule that may take requests before others do.
const STEPS_OF_A_RULE: usize = 100;

/// The requests for which the rules of both sides do not do the same. When there are more than `most` classes (rules in
/// another order may well make as many as there are pairs of them), or when the work ends before all is known, what is
/// known is told, unless that is nothing.
pub(crate) fn compare(
    space: &mut Space,
    [old, new]: [&Rules<'_>; 2],
    policies: &ClusterChanges,
    clients: Clients<'_>,
    most: usize,
) -> Result<Classes, TooComplex> {
    let comparison = Comparing { old, new, policies, clients };
    let mut groups: Vec<Vec<Meeting<'_>>> = Vec::new();
    // It takes about as much work again to tell what was found.
    let for_words = space.algebra.budget.left() / 2;
    let mut is_complete = true;
    for at in comparison.pairs() {
        let is_short = !groups.is_empty() && space.algebra.budget.left() < for_words;
        if groups.len() >= most || is_short {
            is_complete = false;
            break;
        }
        let Some(meeting) = comparison.meeting(space, at)? else { continue };
        let alike = |group: &&mut Vec<Meeting<'_>>| {
            group.first().is_some_and(|first| first.changes == meeting.changes)
        };
        match groups.iter_mut().find(alike) {
            Some(group) => group.push(meeting),
            None => groups.push(vec![meeting]),
        }
    }
    let mut all = Vec::new();
    for group in groups {
        match comparison.class(space, group, is_complete) {
            Ok(class) => all.push(class),
            Err(TooComplex) => {
                is_complete = false;
                break;
            }
        }
    }
    if all.is_empty() && !is_complete {
        return Err(TooComplex);
    }
    Ok(Classes { all, is_complete })
}

struct Comparing<'a> {
    old: &'a Rules<'a>,
    new: &'a Rules<'a>,
    policies: &'a ClusterChanges,
    clients: Clients<'a>,
}

/// Those who ask for the host that is compared.
#[derive(Clone, Copy)]
pub(crate) struct Clients<'a> {
    pub(crate) authority: &'a str,
    pub(crate) scheme: &'a str,
    pub(crate) engines: &'a Engines<'a>,
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

impl<'a> Comparing<'a> {
    fn sameness(&self, old: &Outcome, new: &Outcome) -> Sameness {
        let agreement = match (&old.rewrite, &new.rewrite) {
            (None, None) => Agreement::Always,
            (Some(old), Some(new)) => old.agrees(new),
            (None, Some(_)) | (Some(_), None) => Agreement::Unknown,
        };
        let same = old.is_like(new)
            && !old.clusters.iter().any(|cluster| self.policies.contains_key(cluster));
        match agreement {
            Agreement::Always if same => Sameness::Same,
            Agreement::OnlyFor(path) if same => Sameness::SameFor(path),
            other => Sameness::Different { rewrite_alike: other == Agreement::Always },
        }
    }

    /// The pairs of rules that requests may go through before and after. Where both lists begin with the same conditions,
    /// a request goes through the same rule of these, and so it does of those at the end if none before takes it.
    fn pairs(&self) -> impl Iterator<Item = [usize; 2]> {
        let (old, new) = (&self.old.all, &self.new.all);
        let alike = |(a, b): &(&Rule<'_>, &Rule<'_>)| a.conditions == b.conditions;
        let head = old.iter().zip(new).take_while(alike).count();
        let shorter = old.len().min(new.len());
        let pairs_from_end = old.iter().rev().zip(new.iter().rev());
        let tail = pairs_from_end.take(shorter - head).take_while(alike).count();
        let (old_tail, new_tail) = (old.len() - tail, new.len() - tail);
        (0..old.len()).flat_map(move |index| {
            let same = index.checked_sub(old_tail).map(|place| place + new_tail);
            let others = match (index < head, same) {
                (true, _) => index..index + 1,
                (false, None) => head..new.len(),
                (false, Some(_)) => head..new_tail,
            };
            others.chain(same.filter(|_| index >= head)).map(move |other| [index, other])
        })
    }

    /// What changes for requests that go through the rules `at` before and after; `None`: nothing, or there are none.
    fn meeting(
        &self,
        space: &mut Space,
        at: [usize; 2],
    ) -> Result<Option<Meeting<'a>>, TooComplex> {
        let Some((old, new)) = self.rules(at) else { return Ok(None) };
        let (alike, rewrite_alike) = match self.sameness(old.outcome(), new.outcome()) {
            Sameness::Same => return Ok(None),
            Sameness::SameFor(path) => (Some(path), false),
            Sameness::Different { rewrite_alike } => (None, rewrite_alike),
        };
        let alike = alike.map(|path| {
            Condition::of(Dimension::Path, Test::Text(Text::new(Comparison::Exact, &path)))
        });
        let Some(example) = self.example(space, at, alike.as_ref())? else { return Ok(None) };
        let changes = old.outcome().changes(new.outcome(), rewrite_alike, self.policies);
        Ok(Some(Meeting { old, new, at, changes, alike, example }))
    }

    /// The rules of these numbers, if some request may fit both.
    fn rules(&self, [old, new]: [usize; 2]) -> Option<(&'a Rule<'a>, &'a Rule<'a>)> {
        let rules = self.old.all.get(old).zip(self.new.all.get(new));
        rules.filter(|(old, new)| !old.excludes(new))
    }

    /// The rules that come before both and may take requests of both.
    fn earlier(&self, [old, new]: [usize; 2]) -> Vec<&'a Rule<'a>> {
        let Some((first, second)) = self.rules([old, new]) else { return Vec::new() };
        let mut earlier = self.old.before(old, &[first, second]);
        earlier.extend(self.new.before(new, &[first, second]));
        earlier
    }

    /// Some request that goes through both rules, but those that are `alike`; `None`: there are none.
    fn example(
        &self,
        space: &mut Space,
        at: [usize; 2],
        alike: Option<&Condition>,
    ) -> Result<Option<Example>, TooComplex> {
        let Some((old, new)) = self.rules(at) else { return Ok(None) };
        let both: Vec<&Condition> =
            old.conditions.iter().chain(&new.conditions).flatten().collect();
        let earlier = self.earlier(at);
        let takes_all = |rule: &&&Rule<'_>| {
            rule.conditions.as_ref().is_some_and(|all| all.iter().all(|one| both.contains(&one)))
        };
        if earlier.iter().any(|rule| takes_all(&rule)) {
            return Ok(None);
        }
        if let Some(obvious) = self.obvious(at, &both, alike) {
            return Ok(Some(obvious));
        }
        let Some(first) = old.region(space)?.cloned() else { return Ok(None) };
        let Some(second) = new.region(space)? else { return Ok(None) };
        let Some(base) = space.both(&first, second)? else { return Ok(None) };
        space.algebra.budget.spend(earlier.len() * STEPS_OF_A_RULE)?;
        let mut taken = Vec::new();
        for rule in earlier {
            taken.extend(rule.region(space)?);
        }
        let alike = match alike {
            Some(condition) => space.region([condition])?,
            None => None,
        };
        taken.extend(&alike);
        Ok(left_over(space, &base, &taken)?.map(Example::Within))
    }

    /// The request that `conditions` name, if it goes through both rules and is not `alike`.
    fn obvious(
        &self,
        at: [usize; 2],
        conditions: &[&Condition],
        alike: Option<&Condition>,
    ) -> Option<Example> {
        let Clients { authority, scheme, engines } = self.clients;
        let guess = Guess::of(conditions.iter().copied(), authority, scheme)?;
        if alike.is_some_and(|alike| alike.holds(&guess.request)) {
            return None;
        }
        match (guess.taker(self.old), guess.taker(self.new)) {
            (Some(old), Some(new)) => ([old, new] == at).then_some(Example::Obvious(guess.request)),
            _ => {
                let (old, new) = self.rules(at)?;
                let is_so = engines(&guess.request)? == [old.taker, new.taker];
                is_so.then_some(Example::Asked(guess.request))
            }
        }
    }

    fn class(
        &self,
        space: &mut Space,
        group: Vec<Meeting<'_>>,
        is_complete: bool,
    ) -> Result<Class, TooComplex> {
        let everything = is_complete && group.len() > 1 && self.is_everything(space, &group)?;
        let (mut was, mut becomes) = (Vec::new(), Vec::new());
        let (mut alternatives, mut examples) = (Vec::new(), Vec::new());
        let changes = group.first().map(|meeting| meeting.changes.clone()).unwrap_or_default();
        for meeting in group {
            was.extend(meeting.old.outcome().origin.clone());
            becomes.extend(meeting.new.outcome().origin.clone());
            if !everything {
                let formula = self.formula(space, &meeting)?;
                if !alternatives.contains(&formula) {
                    alternatives.push(formula);
                }
            }
            examples.push((meeting.example, [meeting.old.taker, meeting.new.taker]));
        }
        if everything {
            alternatives.push(Formula::default());
        }
        for origins in [&mut was, &mut becomes] {
            tidy(origins);
        }
        Ok(Class { changes, alternatives, examples, was, becomes })
    }

    /// The requests of `meeting` in words.
    fn formula(&self, space: &mut Space, meeting: &Meeting<'_>) -> Result<Formula, TooComplex> {
        let both = meeting.old.conditions.iter().chain(&meeting.new.conditions).flatten().collect();
        let mut earlier: Vec<(Vec<&Condition>, &Region)> = Vec::new();
        let rules = self.earlier(meeting.at);
        space.algebra.budget.spend(rules.len() * STEPS_OF_A_RULE)?;
        for rule in rules {
            if let Some(region) = rule.region(space)? {
                earlier.push((rule.conditions.iter().flatten().collect(), region));
            }
        }
        let alike = match &meeting.alike {
            Some(condition) => space.region([condition])?,
            None => None,
        };
        earlier.extend(meeting.alike.iter().map(|one| vec![one]).zip(&alike));
        formula(space, both, &earlier)
    }

    /// Whether every request of the host is in one of the meetings of `group`.
    fn is_everything(&self, space: &mut Space, group: &[Meeting<'_>]) -> Result<bool, TooComplex> {
        let known: HashSet<[usize; 2]> = group.iter().map(|meeting| meeting.at).collect();
        for at in self.pairs().filter(|at| !known.contains(at)) {
            if self.example(space, at, None)?.is_some() {
                return Ok(false);
            }
        }
        // A rewrite that is alike for one path leaves that path out.
        Ok(group.iter().all(|meeting| meeting.alike.is_none()))
    }
}
