//! The rules of a virtual host: who takes which requests, and what becomes of them.

use pilotage_engine::virtual_host::{RequireTls, VirtualHost};

use crate::budget::TooComplex;
use crate::condition::{Condition, Dimension, Test, conditions};
use crate::outcome::{Levels, Outcome, no_route, of_route};
use crate::place::Place;
use crate::region::{Region, Space};
use crate::text::{Comparison, Text};

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
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) taker: Taker,
    /// What it takes; `None`: nothing.
    pub(crate) conditions: Option<Vec<Condition>>,
    pub(crate) outcome: Outcome,
}

/// Rules in order. Each takes what those before it left; the last takes everything.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) all: Vec<Rule>,
    /// What each takes when nobody comes first; `None`: nothing.
    pub(crate) regions: Vec<Option<Region>>,
}

impl Rules {
    /// The rules of virtual host number `index` at `place`.
    pub(crate) fn of(place: Option<&Place>, index: Option<usize>) -> Result<Self, TooComplex> {
        let mut all = Vec::new();
        let found = place.and_then(|place| {
            let index = index?;
            let table = place.table.virtual_hosts().nth(index)?;
            Some((place, table, place.routes.virtual_hosts.get(index)?))
        });
        let nobody = match (&found, place) {
            (Some((place, host, proto)), _) => {
                all.extend(https(host)?);
                let levels = Levels { table: &place.routes, host: proto };
                for (route, proto) in host.routes.iter().zip(&proto.routes) {
                    let conditions = conditions(&route.matcher).map_err(|_| TooComplex)?;
                    let outcome = of_route(levels, proto, &route.matcher);
                    all.push(Rule { taker: Taker::Route(route.index), conditions, outcome });
                }
                "no rule takes the request"
            }
            (None, Some(_)) => "nobody serves this host",
            (None, None) => "nothing that speaks HTTP listens there",
        };
        let conditions = Some(Vec::new());
        all.push(Rule { taker: Taker::Nobody, conditions, outcome: no_route(nobody) });
        Ok(Self { all, regions: Vec::new() })
    }

    /// Finds out what each rule takes.
    pub(crate) fn survey(&mut self, space: &mut Space) -> Result<(), TooComplex> {
        let mut regions = Vec::with_capacity(self.all.len());
        for rule in &self.all {
            regions.push(match &rule.conditions {
                Some(conditions) => space.region(conditions)?,
                None => None,
            });
        }
        self.regions = regions;
        Ok(())
    }

    /// Whether any rule looks at `dimension`.
    pub(crate) fn look_at(&self, dimension: &Dimension) -> bool {
        self.all
            .iter()
            .filter_map(|rule| rule.conditions.as_ref())
            .flatten()
            .any(|c| c.dimension == *dimension)
    }

    /// The rules before number `index` that may have requests in common with all of `rules`, with what they take.
    pub(crate) fn before(&self, index: usize, rules: &[&Rule]) -> Vec<(&Rule, &Region)> {
        self.all
            .iter()
            .zip(&self.regions)
            .take(index)
            .filter_map(|(rule, region)| Some((rule, region.as_ref()?)))
            .filter(|(rule, _)| !rules.iter().any(|other| rule.excludes(other)))
            .collect()
    }
}

impl Rule {
    /// Whether a look at the texts shows that no request fits both.
    pub(crate) fn excludes(&self, other: &Self) -> bool {
        let (Some(own), Some(theirs)) = (&self.conditions, &other.conditions) else { return true };
        own.iter().any(|a| {
            theirs.iter().any(|b| {
                a.dimension == b.dimension
                    && a.text().zip(b.text()).is_some_and(|(a, b)| a.excludes(b))
            })
        })
    }
}

/// The redirect to https of a virtual host that demands it.
fn https(host: &VirtualHost) -> Result<Option<Rule>, TooComplex> {
    match host.settings.require_tls {
        RequireTls::None => return Ok(None),
        // Depends on who is outside.
        RequireTls::ExternalOnly => return Err(TooComplex),
        RequireTls::All => {}
    }
    let test = Test::Text(Text::new(Comparison::Exact, "https"));
    let plain = Condition { inverted: true, ..Condition::of(Dimension::Scheme, test) };
    let outcome = no_route("").answering("redirect 301 to https");
    Ok(Some(Rule { taker: Taker::Https, conditions: Some(vec![plain]), outcome }))
}
