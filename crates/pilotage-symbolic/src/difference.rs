//! Two generations of tables: the complete set of requests that change.

use std::collections::{BTreeMap, BTreeSet};

use pilotage_engine::Tables;
use pilotage_proto::envoy::config::route::v3::route::Action;
use pilotage_proto::envoy::config::route::v3::route_action::ClusterSpecifier;
use pilotage_proto::envoy::config::route::v3::{RouteConfiguration, VirtualHost};

use crate::budget::TooComplex;
use crate::compare::{Class, Classes, Clients, Example, compare};
use crate::condition::Dimension;
use crate::connections::{ConnectionChange, connection_changes};
use crate::formula::Formula;
use crate::host_name::{Host, authority, named};
use crate::hosts::{self, HostGroup, Pair};
use crate::outcome::{
    Change, ClusterChanges, Levels, Origin, Outcome, cluster_changes, no_route, of_route,
};
use crate::place::{Place, places};
use crate::ration::Ration;
use crate::region::Space;
use crate::rules::{HTTPS, NO_HOST, NO_RULE, NOTHING_LISTENS, Rules, Taker};
use crate::sample::Sampler;
use crate::tally::{MoreKinds, Tally};
use crate::universe::Universe;
use crate::witness::{Request, example, taker};

/// Requests that are tried where nothing can be decided.
const SAMPLES: usize = 2000;
/// The same when there are many such hosts.
const FEW_SAMPLES: usize = 200;
const MANY_UNDECIDED: usize = 10;

/// What changes between two generations of one proxy.
#[derive(Clone, Debug, Default)]
pub struct Difference {
    /// Requests that change.
    pub requests: Vec<RequestChange>,
    /// Kinds of requests that change and are not among `requests`, as those are many.
    pub more_requests: MoreKinds,
    /// Hosts of which so many kinds of requests change that not all were looked at.
    pub unfinished: Vec<Host>,
    /// Connections that change, apart from the routes of requests.
    pub connections: Vec<ConnectionChange>,
    /// Hosts for which nothing could be decided.
    pub undecided: Vec<Undecided>,
    /// Where connections go to for which nothing could be decided.
    pub undecided_connections: Vec<String>,
    /// Requests that both engines judge otherwise than the automata: mistakes in this program.
    pub mistakes: Vec<Mistake>,
    /// Whether rules look at metadata, such as the claims of a token. No request has any here.
    pub looks_at_metadata: bool,
    /// Hosts that were looked at, and those of them that are the same to the letter.
    pub hosts: usize,
    /// Of these, those that are the same to the letter.
    pub equal_hosts: usize,
}

/// A kind of requests that change in one way.
#[derive(Clone, Debug)]
pub struct RequestChange {
    /// Hosts, by the name that people use, with all names of each.
    pub hosts: Vec<Host>,
    /// Which requests to them: any of these; one that says nothing means all.
    pub alternatives: Vec<Formula>,
    /// In what they change.
    pub changes: Vec<Change>,
    /// Where the rules are written that took them.
    pub was: Vec<Origin>,
    /// Where the rules are written that take them now.
    pub becomes: Vec<Origin>,
    /// A request of the first alternative, put to both engines.
    pub witness: Request,
    /// Whether it was found by trying requests, so that nobody knows how many there are.
    pub sampled: bool,
}

/// A host whose rules are too complex to be compared.
#[derive(Clone, Debug)]
pub struct Undecided {
    /// Which.
    pub host: Host,
    /// Requests that were tried instead.
    pub samples: usize,
}

/// A request that is not what it should be.
#[derive(Clone, Debug)]
pub struct Mistake {
    /// The request.
    pub request: Request,
    /// What was expected and what came out.
    pub what: String,
}

/// What changes from `old` to `new`, for the proxy that both are of.
#[must_use]
pub fn difference(old: &Tables, new: &Tables) -> Difference {
    difference_up_to(old, new, usize::MAX)
}

/// The same; of the kinds of requests that change, so `many` are kept, and the others counted.
#[must_use]
pub fn difference_up_to(old: &Tables, new: &Tables, many: usize) -> Difference {
    let mut comparing = Comparing {
        tables: [old, new],
        policies: cluster_changes(old, new),
        ration: Ration::new(),
        tally: Tally::new(many),
        found: Difference::default(),
    };
    let (before, after) = (places(old), places(new));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        comparing.place([before.get(name), after.get(name)]);
    }
    let mut found = comparing.found;
    found.looks_at_metadata = before.values().chain(after.values()).any(Place::looks_at_metadata);
    let connections = connection_changes([old, new], &comparing.policies);
    found.connections = connections.changes;
    found.undecided_connections = connections.undecided;
    (found.requests, found.more_requests) = comparing.tally.finish();
    found
}

/// What changes for one request, as both engines decide it: at the place whose routes are called `routes`. `None`: it
/// cannot be sent there.
#[must_use]
pub fn judge(old: &Tables, new: &Tables, routes: &str, request: &Request) -> Option<Vec<Change>> {
    let (before, after) = (places(old), places(new));
    let sides = [before.get(routes), after.get(routes)];
    let comparing = Comparing {
        tables: [old, new],
        policies: cluster_changes(old, new),
        ration: Ration::new(),
        tally: Tally::new(0),
        found: Difference::default(),
    };
    comparing.judged(sides, request)
}

struct Comparing<'t> {
    tables: [&'t Tables; 2],
    policies: ClusterChanges,
    ration: Ration,
    tally: Tally,
    found: Difference,
}

impl Comparing<'_> {
    fn place(&mut self, sides: [Option<&Place>; 2]) {
        let Some(known) = sides[1].or(sides[0]) else { return };
        let groups = match hosts::groups(sides.map(|side| side.map(|place| &*place.table))) {
            Ok(groups) => groups,
            Err(TooComplex) => {
                return self.give_up(sides, known, &HostGroup::of(&known.table.name));
            }
        };
        let hand_down_alike = match sides {
            [Some(before), Some(after)] => {
                shared_by_hosts(&before.routes) == shared_by_hosts(&after.routes)
            }
            _ => false,
        };
        for (pair, group) in &groups {
            self.found.hosts += 1;
            if hand_down_alike && self.is_equal(sides, *pair) {
                self.found.equal_hosts += 1;
                continue;
            }
            if let Err(TooComplex) = self.hosts(sides, known, *pair, &groups) {
                self.give_up(sides, known, group);
            }
        }
    }

    /// Whether nothing can differ, since all is the same to the letter, and so is what the hosts inherit.
    fn is_equal(&self, sides: [Option<&Place>; 2], (old, new): Pair) -> bool {
        let [Some(before), Some(after)] = sides else { return false };
        let old = old.and_then(|index| before.routes.virtual_hosts.get(index));
        let new = new.and_then(|index| after.routes.virtual_hosts.get(index));
        match (old, new) {
            (None, None) => true,
            (Some(a), Some(b)) => {
                let is_same = std::ptr::eq(a, b)
                    || a.routes == b.routes && shared_by_routes(a) == shared_by_routes(b);
                is_same && !self.is_touched(a)
            }
            _ => false,
        }
    }

    /// Whether a destination of `host` changes.
    fn is_touched(&self, host: &VirtualHost) -> bool {
        if self.policies.is_empty() {
            return false;
        }
        let changes = |name: &String| self.policies.contains_key(name);
        host.routes.iter().any(|route| match &route.action {
            Some(Action::Route(action)) => {
                let mirrored = action.request_mirror_policies.iter().any(|m| changes(&m.cluster));
                mirrored
                    || match &action.cluster_specifier {
                        Some(ClusterSpecifier::Cluster(name)) => changes(name),
                        Some(ClusterSpecifier::WeightedClusters(all)) => {
                            all.clusters.iter().any(|one| changes(&one.name))
                        }
                        _ => false,
                    }
            }
            _ => false,
        })
    }

    fn hosts(
        &mut self,
        sides: [Option<&Place>; 2],
        known: &Place,
        pair: Pair,
        groups: &BTreeMap<Pair, HostGroup>,
    ) -> Result<(), TooComplex> {
        let Some(group) = groups.get(&pair) else { return Ok(()) };
        let old = Rules::of(sides[0], pair.0)?;
        let new = Rules::of(sides[1], pair.1)?;
        let managers = sides.map(|side| &*side.unwrap_or(known).manager);
        let universe = Universe::of(managers, known.table.ignores_path_parameters());
        let tables = self.tables;
        let (policies, most) = (&self.policies, self.tally.of_one_host());
        let host = named(known, group);
        let authority = authority(known, group, &host);
        let engines = |request: &Request| {
            let old = taker(tables[0], sides[0], request)?;
            Some([old, taker(tables[1], sides[1], request)?])
        };
        let clients = Clients { authority: &authority, scheme: known.scheme(), engines: &engines };
        let (is_complete, (changes, mistakes)) = self.ration.for_one_host(universe, |space| {
            hosts::limit(space, &[&old, &new], known.table.ignores_port(), pair, groups)?;
            let rules = [&old, &new];
            let Classes { all, is_complete } = compare(space, rules, policies, clients, most)?;
            Ok((is_complete, report(space, tables, sides, (known, &host, &authority), all)))
        })?;
        self.found.unfinished.extend((!is_complete).then_some(host));
        changes.into_iter().for_each(|change| self.tally.add(change));
        self.found.mistakes.extend(mistakes);
        Ok(())
    }

    /// Tries requests where nothing can be decided.
    fn give_up(&mut self, sides: [Option<&Place>; 2], known: &Place, group: &HostGroup) {
        let host = named(known, group);
        let authority = authority(known, group, &host);
        let tables = sides.map(|side| side.map(|place| &*place.table));
        let mut sampler = Sampler::new(tables, &authority);
        let samples =
            if self.found.undecided.len() < MANY_UNDECIDED { SAMPLES } else { FEW_SAMPLES };
        let mut met: Vec<[Taker; 2]> = Vec::new();
        let mut found: Vec<RequestChange> = Vec::new();
        for _ in 0..samples {
            let request = sampler.request(&authority, known.scheme());
            let [first, second] = [0, 1].map(|side: usize| self.taker(side, sides, &request));
            let (Some(first), Some(second)) = (first, second) else { continue };
            if met.contains(&[first, second]) {
                continue;
            }
            let outcomes =
                [self.outcome(0, sides, &request, first), self.outcome(1, sides, &request, second)];
            let [Some(old), Some(new)] = outcomes else { continue };
            // What a rewrite makes of a path is another question for each path.
            if old.rewrite.is_none() && new.rewrite.is_none() {
                met.push([first, second]);
            }
            let changes = self.between(&old, &new, &request);
            if changes.is_empty() || found.iter().any(|known| known.changes == changes) {
                continue;
            }
            found.push(RequestChange {
                hosts: vec![host.clone()],
                alternatives: Vec::new(),
                changes,
                was: old.origin.into_iter().collect(),
                becomes: new.origin.into_iter().collect(),
                witness: request,
                sampled: true,
            });
        }
        found.into_iter().for_each(|change| self.tally.add(change));
        self.found.undecided.push(Undecided { host, samples });
    }

    fn judged(&self, sides: [Option<&Place>; 2], request: &Request) -> Option<Vec<Change>> {
        let old = self.outcome(0, sides, request, self.taker(0, sides, request)?)?;
        let new = self.outcome(1, sides, request, self.taker(1, sides, request)?)?;
        Some(self.between(&old, &new, request))
    }

    fn taker(&self, side: usize, sides: [Option<&Place>; 2], request: &Request) -> Option<Taker> {
        taker(self.tables.get(side)?, sides.get(side).copied().flatten(), request)
    }

    /// What changes for `request`, whose outcomes are known.
    fn between(&self, old: &Outcome, new: &Outcome, request: &Request) -> Vec<Change> {
        let path = request.value(&Dimension::Path).unwrap_or_default();
        let rewritten = |outcome: &Outcome| outcome.rewrite.as_ref().map(|one| one.apply(path));
        let rewrite_alike = rewritten(old) == rewritten(new);
        old.changes(new, rewrite_alike, &self.policies)
    }

    /// What becomes of `request` on one side, where `taker` takes it.
    fn outcome(
        &self,
        side: usize,
        sides: [Option<&Place>; 2],
        request: &Request,
        taker: Taker,
    ) -> Option<Outcome> {
        match (taker, sides.get(side).copied().flatten()) {
            (Taker::Route(index), Some(place)) => {
                let number = place.table.virtual_host_index(&request.authority)?;
                let proto = place.routes.virtual_hosts.get(number)?;
                let host = place.table.virtual_hosts().nth(number)?;
                let levels = Levels::of(place, proto);
                let matcher = &host.routes.get(index)?.matcher;
                Some(of_route(levels, proto.routes.get(index)?, matcher))
            }
            (Taker::Https, _) => Some(no_route("").answering(HTTPS)),
            (Taker::Nobody | Taker::Route(_), None) => Some(no_route(NOTHING_LISTENS)),
            (Taker::Nobody, Some(place)) => {
                let known = place.table.virtual_host_index(&request.authority).is_some();
                Some(no_route(if known { NO_RULE } else { NO_HOST }))
            }
        }
    }
}

/// What changes for the requests of `classes`, with an example of each, and where both engines did not say the same of
/// the example.
fn report(
    space: &mut Space,
    tables: [&Tables; 2],
    sides: [Option<&Place>; 2],
    (known, host, authority): (&Place, &Host, &str),
    classes: Vec<Class>,
) -> (Vec<RequestChange>, Vec<Mistake>) {
    let (mut changes, mut mistakes) = (Vec::new(), Vec::new());
    for class in classes {
        let mut witness = None;
        for (found, expected) in &class.examples {
            let request = match found {
                // One of them is enough to see that the engines read the rules in the same way.
                Example::Obvious(_) if witness.is_some() => continue,
                Example::Obvious(request) | Example::Asked(request) => request.clone(),
                Example::Within(region) => example(space, region, authority, known.scheme()),
            };
            for ((tables, place), expected) in tables.into_iter().zip(sides).zip(expected) {
                let found = taker(tables, place, &request);
                if found != Some(*expected) {
                    let what = format!("expected {expected:?}, the engine says {found:?}");
                    mistakes.push(Mistake { request: request.clone(), what });
                }
            }
            witness = witness.or(Some(request));
        }
        let Some(witness) = witness else { continue };
        changes.push(RequestChange {
            hosts: vec![host.clone()],
            alternatives: class.alternatives,
            changes: class.changes,
            was: class.was,
            becomes: class.becomes,
            witness,
            sampled: false,
        });
    }
    (changes, mistakes)
}

/// What a virtual host hands down to its routes.
fn shared_by_routes(host: &VirtualHost) -> VirtualHost {
    VirtualHost {
        name: host.name.clone(),
        require_tls: host.require_tls,
        request_headers_to_add: host.request_headers_to_add.clone(),
        request_headers_to_remove: host.request_headers_to_remove.clone(),
        response_headers_to_add: host.response_headers_to_add.clone(),
        response_headers_to_remove: host.response_headers_to_remove.clone(),
        typed_per_filter_config: host.typed_per_filter_config.clone(),
        include_request_attempt_count: host.include_request_attempt_count,
        include_attempt_count_in_response: host.include_attempt_count_in_response,
        retry_policy: host.retry_policy.clone(),
        request_mirror_policies: host.request_mirror_policies.clone(),
        ..VirtualHost::default()
    }
}

/// What a route configuration hands down to its virtual hosts.
fn shared_by_hosts(table: &RouteConfiguration) -> RouteConfiguration {
    RouteConfiguration {
        request_headers_to_add: table.request_headers_to_add.clone(),
        request_headers_to_remove: table.request_headers_to_remove.clone(),
        response_headers_to_add: table.response_headers_to_add.clone(),
        response_headers_to_remove: table.response_headers_to_remove.clone(),
        most_specific_header_mutations_wins: table.most_specific_header_mutations_wins,
        typed_per_filter_config: table.typed_per_filter_config.clone(),
        ..RouteConfiguration::default()
    }
}
