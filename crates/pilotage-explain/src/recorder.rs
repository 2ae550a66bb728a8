//! Listening to a decision.

use std::cell::Cell;

use pilotage_compile::jwt_claims::spellings;
use pilotage_engine::origin::Origin;
use pilotage_engine::request::RequestHead;
use pilotage_engine::route::RouteEntry;
use pilotage_engine::trace::Condition;
use pilotage_engine::virtual_host::VirtualHost;
use pilotage_engine::{Env, Trace};
use std::time::Duration;

use crate::explanation::{ConditionAnswer, Tried};
use crate::places::Places;

/// A number that only certain draws include: whatever is drawn by it happens to all requests.
const UNLIKELY: u64 = 999_999;

/// The chance of one run: the request's own random number, by which routes draw clusters, is chosen; nothing else
/// happens unless it always happens.
#[derive(Debug, Default)]
pub(crate) struct Chance {
    point: u64,
    /// The next number drawn is the request's own.
    is_due: Cell<bool>,
}

impl Chance {
    /// A run in which routes draw `point`.
    pub(crate) fn at(point: u64) -> Self {
        Self { point, is_due: Cell::new(false) }
    }

    /// Runs `act` under this chance.
    pub(crate) fn with<R>(&self, now: Duration, act: impl FnOnce(&mut Env<'_>) -> R) -> R {
        let mut rng = || if self.is_due.replace(false) { self.point } else { UNLIKELY };
        act(&mut Env { now, unix_time: Duration::ZERO, rng: &mut rng })
    }
}

/// Writes down how a request was routed.
#[derive(Debug)]
pub(crate) struct Recorder<'a> {
    chance: &'a Chance,
    places: Places<'a>,
    /// Domains of the virtual host that was chosen.
    pub(crate) domains: Vec<String>,
    /// Its name.
    pub(crate) virtual_host: Option<String>,
    /// Routes that were tried.
    pub(crate) tried: Vec<(Option<Origin>, Tried)>,
    /// What else was said.
    pub(crate) notes: Vec<String>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(chance: &'a Chance, places: Places<'a>) -> Self {
        Self {
            chance,
            places,
            domains: Vec::new(),
            virtual_host: None,
            tried: Vec::new(),
            notes: Vec::new(),
        }
    }
}

impl Trace for Recorder<'_> {
    fn virtual_host(&mut self, _: &str, chosen: Option<&VirtualHost>) {
        // The request's own random number is drawn once its virtual host is known.
        self.chance.is_due.set(true);
        let Some(host) = chosen else { return };
        self.virtual_host = Some(host.settings.name.to_string());
        self.domains = host.settings.domains.iter().map(ToString::to_string).collect();
    }

    fn route(&mut self, _: usize, route: &RouteEntry) {
        let from = route.origin();
        let rule = match &from {
            Some(from) => self.places.rule(from, &route.name),
            None => {
                crate::explanation::RuleName { name: route.name.to_string(), ..Default::default() }
            }
        };
        let block = from.as_ref().and_then(Origin::block);
        self.tried.push((from, Tried { rule, block, matched: true, conditions: Vec::new() }));
    }

    fn condition(&mut self, condition: Condition<'_>, head: &RequestHead<'_>, holds: bool) {
        let Some((from, tried)) = self.tried.last_mut() else { return };
        tried.matched &= holds;
        let names = names(condition);
        let written = from.as_ref().and_then(|from| place(self.places, from, condition, &names));
        let (name, place) = match written {
            Some((name, place)) => (name.to_owned(), Some(place)),
            None => (names.into_iter().next().unwrap_or_default(), None),
        };
        tried.conditions.push(ConditionAnswer {
            kind: condition.kind().to_owned(),
            name,
            wanted: condition.wanted(),
            got: condition.got(head),
            holds,
            place,
        });
    }

    fn note(&mut self, note: std::fmt::Arguments<'_>) {
        self.notes.push(note.to_string());
    }
}

/// What a condition is about, in the words in which it may have been written.
fn names(condition: Condition<'_>) -> Vec<String> {
    let claim = match condition {
        Condition::Metadata(metadata) => spellings(metadata.filter(), metadata.path()),
        _ => None,
    };
    claim.map_or_else(|| vec![condition.name().to_owned()], Vec::from)
}

/// The line that asks for a condition, and by which of the `names`.
fn place<'n>(
    places: Places<'_>,
    from: &Origin,
    condition: Condition<'_>,
    names: &'n [String],
) -> Option<(&'n str, crate::explanation::Place)> {
    names.iter().find_map(|name| Some((&**name, place_of(places, from, condition.kind(), name)?)))
}

fn place_of(
    places: Places<'_>,
    from: &Origin,
    kind: &str,
    name: &str,
) -> Option<crate::explanation::Place> {
    let fields: Vec<String> = match (kind, name) {
        ("path", _) => vec!["uri".to_owned()],
        ("header", ":method" | ":authority" | ":scheme") => {
            vec![name.trim_start_matches(":").to_owned()]
        }
        ("header" | "metadata", _) => vec![field("headers", name), field("withoutHeaders", name)],
        ("query", _) => vec![field("queryParams", name)],
        _ => return None,
    };
    // A delegate's conditions may be those of the rule that delegated to it.
    let own = (from.object.as_str(), from.rule());
    let root = from.via.as_ref().map(|(object, path)| (object.as_str(), path.as_str()));
    for (object, rule) in std::iter::once(own).chain(root) {
        let blocks = places.http_rule(object, rule).map_or(0, |rule| rule.match_.len());
        let wanted = from.block().map_or(0..blocks, |block| block..block.saturating_add(1));
        for block in wanted {
            for field in &fields {
                let path = format!("{rule}.match[{block}].{field}");
                if let Some(place) = places.written(object, &path) {
                    return Some(place);
                }
            }
        }
    }
    None
}

/// The path of a map's entry.
fn field(map: &str, key: &str) -> String {
    pilotage_config::FieldPath::from(map).field(key).as_str().to_owned()
}
