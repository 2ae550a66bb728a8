//! Rules that can never match, and the rules that take their requests.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use pilotage_engine::Tables;

use crate::budget::TooComplex;
use crate::guess::Guess;
use crate::host_name::{Host, authority, named};
use crate::hosts::{self, HostGroup, Pair};
use crate::outcome::Origin;
use crate::place::{Place, places};
use crate::ration::Ration;
use crate::region::{Region, Space};
use crate::rules::{Rule, Rules, Taker};
use crate::search::left_over;
use crate::universe::Universe;
use crate::witness::{Request, example, taker};

/// A rule that never matches, on any host it is for.
#[derive(Clone, Debug)]
pub struct UnreachableRule {
    /// The rule, or one of its match blocks.
    pub origin: Origin,
    /// A host that it is for.
    pub host: Host,
    /// Earlier rules that together take all that it could match; nothing when no request can fulfil its conditions.
    pub taken_by: Vec<Origin>,
    /// A request that it would match, and the rule that takes it, as the engine decides.
    pub example: Option<(Request, Option<Origin>)>,
}

/// What is known of the rules of some proxies.
#[derive(Clone, Debug, Default)]
pub struct Reachability {
    /// Rules that never match, ordered by where they are written.
    pub unreachable: Vec<UnreachableRule>,
    /// Hosts whose rules are too complex to decide.
    pub undecided: Vec<Host>,
}

/// The rules that never match in any of `proxies`, of which one is in memory at a time if they are made on the way. The
/// work for all of them together is bounded.
#[must_use]
pub fn reachability(proxies: impl IntoIterator<Item: Borrow<Tables>>) -> Reachability {
    let mut looking =
        Looking { ration: Ration::of(WORK), rules: BTreeMap::new(), undecided: Vec::new() };
    for tables in proxies {
        let tables = tables.borrow();
        for place in places(tables).values() {
            looking.place(tables, place);
        }
    }
    let unreachable = looking.rules.into_values().flatten().collect();
    Reachability { unreachable, undecided: looking.undecided }
}

/// Steps of automata for all proxies together: this looks for mistakes along the way, and must not take long.
const WORK: u64 = 10_000_000;

struct Looking {
    ration: Ration,
    /// By origin; `None`: it matches something on some host, or that was too complex to decide.
    rules: BTreeMap<Origin, Option<UnreachableRule>>,
    undecided: Vec<Host>,
}

impl Looking {
    fn place(&mut self, tables: &Tables, place: &Place) {
        let Ok(groups) = hosts::groups([Some(&place.table), None]) else {
            self.undecided.push(named(place, &HostGroup::of(&place.table.name)));
            return;
        };
        for (pair, group) in &groups {
            if let Err(TooComplex) = self.host(tables, place, *pair, group, &groups) {
                self.undecided.push(named(place, group));
                let rules = Rules::of(Some(place), pair.0);
                let origins = rules.iter().flat_map(|rules| &rules.all).filter_map(Rule::origin);
                self.rules.extend(origins.map(|origin| (origin, None)));
            }
        }
    }

    fn host(
        &mut self,
        tables: &Tables,
        place: &Place,
        pair: Pair,
        group: &HostGroup,
        groups: &BTreeMap<Pair, HostGroup>,
    ) -> Result<(), TooComplex> {
        let rules = Rules::of(Some(place), pair.0)?;
        let known = |rule: &Rule<'_>| match rule.origin() {
            Some(origin) => self.rules.get(&origin).is_some_and(Option::is_none),
            None => true,
        };
        // Hosts of one object have the same rules.
        if rules.all.iter().all(known) {
            return Ok(());
        }
        let universe = Universe::of([&place.manager; 2], place.table.ignores_path_parameters());
        let name = named(place, group);
        let client = (&*authority(place, group, &name), place.scheme());
        let found = self.ration.for_one_host(universe, |space| {
            hosts::limit(space, &[&rules], place.table.ignores_port(), pair, groups)?;
            let mut found = Vec::new();
            for index in 0..rules.all.len() {
                found.extend(look(space, &rules, index, client)?);
            }
            let with_examples = found.into_iter().map(|(index, dead)| {
                let request =
                    dead.region.as_ref().map(|region| example(space, region, client.0, client.1));
                (index, dead, request)
            });
            Ok(with_examples.collect::<Vec<_>>())
        })?;
        for (index, rule) in rules.all.iter().enumerate() {
            let Some(origin) = rule.origin() else { continue };
            match found.iter().find(|(dead, ..)| *dead == index) {
                None => drop(self.rules.insert(origin, None)),
                Some((_, dead, request)) => {
                    let finding = UnreachableRule {
                        origin: origin.clone(),
                        host: name.clone(),
                        taken_by: dead.taken_by.clone(),
                        example: request.clone().map(|request| {
                            let by = who_takes(tables, place, &rules, &request);
                            (request, by)
                        }),
                    };
                    let known = self.rules.entry(origin).or_insert_with(|| Some(finding.clone()));
                    // Rather with who takes its requests.
                    if known.as_ref().is_some_and(|known| known.taken_by.is_empty()) {
                        *known = Some(finding);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The rule that the engine picks for `request`.
fn who_takes(
    tables: &Tables,
    place: &Place,
    rules: &Rules<'_>,
    request: &Request,
) -> Option<Origin> {
    let Some(Taker::Route(index)) = taker(tables, Some(place), request) else {
        return None;
    };
    let taken = |rule: &&Rule<'_>| rule.taker == Taker::Route(index);
    rules.all.iter().find(taken)?.origin()
}

/// A rule that takes nothing.
struct Dead {
    /// What it would take; `None`: nothing at all.
    region: Option<Region>,
    taken_by: Vec<Origin>,
}

/// Rule number `index`, if it takes nothing of what a client asks for: of that authority, with that scheme.
fn look(
    space: &mut Space,
    rules: &Rules<'_>,
    index: usize,
    (authority, scheme): (&str, &'static str),
) -> Result<Option<(usize, Dead)>, TooComplex> {
    let Some(rule) = rules.all.get(index).filter(|rule| rule.taker != Taker::Nobody) else {
        return Ok(None);
    };
    let before = rules.before(index, &[rule]);
    if before.is_empty() && rule.conditions.as_ref().is_some_and(Vec::is_empty) {
        return Ok(None);
    }
    let guess = Guess::of(rule.conditions.iter().flatten(), authority, scheme);
    if guess.is_some_and(|guess| guess.taker(rules) == Some(index)) {
        return Ok(None);
    }
    let Some(region) = rule.region(space)? else {
        return Ok(Some((index, Dead { region: None, taken_by: Vec::new() })));
    };
    let mut takers = Vec::new();
    for rule in before {
        takers.extend(rule.region(space)?.map(|region| (rule, region)));
    }
    let all: Vec<&Region> = takers.iter().map(|(_, region)| *region).collect();
    if left_over(space, region, &all)?.is_some() {
        return Ok(None);
    }
    // As few as possible, and rather early ones.
    let mut at = takers.len();
    while let Some(last) = at.checked_sub(1) {
        at = last;
        let without: Vec<&Region> = takers
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != last)
            .map(|(_, (_, region))| *region)
            .collect();
        if left_over(space, region, &without)?.is_none() {
            takers.remove(last);
        }
    }
    let mut taken_by: Vec<Origin> = Vec::new();
    for origin in takers.iter().filter_map(|(rule, _)| rule.origin()) {
        if !taken_by.contains(&origin) {
            taken_by.push(origin);
        }
    }
    Ok(Some((index, Dead { region: Some(region.clone()), taken_by })))
}
