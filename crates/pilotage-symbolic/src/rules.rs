//! The rules of a virtual host: who takes which requests, and what becomes of them.

use std::cell::OnceCell;

use pilotage_engine::route_match::RouteMatch;
use pilotage_engine::virtual_host::{RequireTls, VirtualHost};
use pilotage_proto::envoy::config::route::v3::Route;

use crate::budget::TooComplex;
use crate::condition::{Condition, Dimension, Test, conditions};
use crate::outcome::{Levels, Origin, Outcome, no_route, of_route};
use crate::place::Place;
use crate::region::{Region, Space};
use crate::text::{Comparison, Text};

/// Outcomes of requests that no route takes.
pub(crate) const NO_RULE: &str = "no rule takes the request";
pub(crate) const NO_HOST: &str = "nobody serves this host";
pub(crate) const NOTHING_LISTENS: &str = "nothing that speaks HTTP listens there";
pub(crate) const HTTPS: &str = "redirect 301 to https";

/// Who decides about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taker {
    /// The virtual host, which demands TLS.
    Https,
    /// A route, by number.
    Route(usize),
    /// Nobody: the virtual host has no route for it, or there is no virtual host.
    Nobody,
}

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule<'p> {
    pub(crate) taker: Taker,
    /// What it takes; `None`: nothing.
    pub(crate) conditions: Option<Vec<Condition>>,
    deed: Deed<'p>,
    /// What the rule takes when nobody comes first, and what becomes of that, once somebody has asked.
    region: OnceCell<Option<Region>>,
    outcome: OnceCell<Outcome>,
}

/// What a rule does.
#[derive(Clone, Copy, Debug)]
enum Deed<'p> {
    Route(Levels<'p>, &'p Route, &'p RouteMatch),
    Answer(&'static str),
    Nothing(&'static str),
}

/// Rules in order. Each takes what those before it left; the last takes everything.
#[derive(Debug)]
pub(crate) struct Rules<'p> {
    pub(crate) all: Vec<Rule<'p>>,
}

impl<'p> Rules<'p> {
    /// The rules of virtual host number `index` at `place`.
    pub(crate) fn of(place: Option<&'p Place>, index: Option<usize>) -> Result<Self, TooComplex> {
        let mut all = Vec::new();
        let found = place.and_then(|place| {
            let index = index?;
            let table = place.table.virtual_hosts().nth(index)?;
            Some((place, table, place.routes.virtual_hosts.get(index)?))
        });
        let nobody = match (&found, place) {
            (Some((place, host, proto)), _) => {
                all.extend(https(host)?);
                let levels = Levels::of(place, proto);
                for (route, proto) in host.routes.iter().zip(&proto.routes) {
                    let conditions = conditions(&route.matcher).map_err(|_| TooComplex)?;
                    let deed = Deed::Route(levels, proto, &route.matcher);
                    all.push(Rule::new(Taker::Route(route.index), conditions, deed));
                }
                NO_RULE
            }
            (None, Some(_)) => NO_HOST,
            (None, None) => NOTHING_LISTENS,
        };
        all.push(Rule::new(Taker::Nobody, Some(Vec::new()), Deed::Nothing(nobody)));
        Ok(Self { all })
    }

    /// Whether any rule looks at `dimension`.
    pub(crate) fn look_at(&self, dimension: &Dimension) -> bool {
        self.all
            .iter()
            .filter_map(|rule| rule.conditions.as_ref())
            .flatten()
            .any(|c| c.dimension == *dimension)
    }

    /// The rules before number `index` that may have requests in common with all of `rules`.
    pub(crate) fn before(&self, index: usize, rules: &[&Rule<'_>]) -> Vec<&Rule<'p>> {
        let earlier = self.all.iter().take(index).filter(|rule| rule.conditions.is_some());
        earlier.filter(|rule| !rules.iter().any(|other| rule.excludes(other))).collect()
    }
}

impl<'p> Rule<'p> {
    fn new(taker: Taker, conditions: Option<Vec<Condition>>, deed: Deed<'p>) -> Self {
        Self { taker, conditions, deed, region: OnceCell::new(), outcome: OnceCell::new() }
    }

    /// What the rule takes when nobody comes first; `None`: nothing.
    pub(crate) fn region(&self, space: &mut Space) -> Result<Option<&Region>, TooComplex> {
        if self.region.get().is_none() {
            let region = match &self.conditions {
                Some(conditions) => space.region(conditions)?,
                None => None,
            };
            return Ok(self.region.get_or_init(|| region).as_ref());
        }
        Ok(self.region.get().and_then(Option::as_ref))
    }

    /// What becomes of what it takes.
    pub(crate) fn outcome(&self) -> &Outcome {
        self.outcome.get_or_init(|| match self.deed {
            Deed::Route(levels, route, matcher) => of_route(levels, route, matcher),
            Deed::Answer(text) => no_route("").answering(text),
            Deed::Nothing(why) => no_route(why),
        })
    }

    /// Where it comes from.
    pub(crate) fn origin(&self) -> Option<Origin> {
        match self.deed {
            Deed::Route(_, route, _) => Origin::of_route(route),
            Deed::Answer(_) | Deed::Nothing(_) => None,
        }
    }

    /// Whether a look at the texts shows that no request fits both.
    pub(crate) fn excludes(&self, other: &Rule<'_>) -> bool {
        let (Some(own), Some(theirs)) = (&self.conditions, &other.conditions) else { return true };
        Condition::exclude(own, theirs)
    }
}

/// The redirect to https of a virtual host that demands it.
fn https(host: &VirtualHost) -> Result<Option<Rule<'static>>, TooComplex> {
    match host.settings.require_tls {
        RequireTls::None => return Ok(None),
        // Depends on who is outside.
        RequireTls::ExternalOnly => return Err(TooComplex),
        RequireTls::All => {}
    }
    let test = Test::Text(Text::new(Comparison::Exact, "https"));
    let plain = Condition { inverted: true, ..Condition::of(Dimension::Scheme, test) };
    Ok(Some(Rule::new(Taker::Https, Some(vec![plain]), Deed::Answer(HTTPS))))
}
