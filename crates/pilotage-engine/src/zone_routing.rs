//! Zone-aware routing: requests stay in the proxy's own locality as far as this leaves every endpoint its fair share.
//!
//! The proxies that send the requests are the local cluster. Where a locality has as large a part of the endpoints as it
//! has of the proxies, its proxies use nobody else; where it has less, what is left goes to localities that have more.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilotage_proto::LocalCluster;
use pilotage_proto::envoy::config::cluster::v3::cluster::common_lb_config::ZoneAwareLbConfig as Proto;

use crate::endpoint::{Endpoint, Health, Locality};
use crate::endpoint_set::{EndpointSet, EndpointSetOptions, Group};
use crate::env::Env;
use crate::priorities::{HealthCounts, Part, count_health};
use crate::rejection::Warnings;

/// One, in the parts in which Envoy counts shares of localities.
const WHOLE: u64 = 10_000;

/// How a cluster regards zones. xDS: `common_lb_config.zone_aware_lb_config`; the default holds where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneAware {
    /// Percent of the requests for which zones count.
    pub routing_percent: u32,
    /// With fewer healthy endpoints zones do not count.
    pub min_cluster_size: u64,
}

impl Default for ZoneAware {
    fn default() -> Self {
        Self { routing_percent: 100, min_cluster_size: 6 }
    }
}

impl ZoneAware {
    pub(crate) fn compile(
        proto: &Proto,
        warnings: &mut Warnings,
        rounded: impl Fn(f64) -> u32,
    ) -> Self {
        if proto.fail_traffic_on_panic {
            warnings.note("fail_traffic_on_panic", "in a panic all endpoints are used");
        }
        let default = Self::default();
        let percent = proto.routing_enabled.as_ref().map(|percent| rounded(percent.value));
        Self {
            routing_percent: percent.unwrap_or(default.routing_percent),
            min_cluster_size: proto.min_cluster_size.unwrap_or(default.min_cluster_size),
        }
    }
}

/// The proxies of the local cluster as this proxy sees them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Peers {
    /// Where this proxy is.
    own: Locality,
    /// How many healthy ones are where.
    healthy: BTreeMap<Locality, u64>,
    health: HealthCounts,
}

impl Peers {
    /// `members` are the endpoints of the local cluster.
    pub(crate) fn of(local: &LocalCluster, members: &EndpointSet) -> Self {
        let own = Locality {
            region: local.locality.region.clone(),
            zone: local.locality.zone.clone(),
            sub_zone: local.locality.sub_zone.clone(),
        };
        // Envoy demands that all have one priority.
        let mut healthy = BTreeMap::new();
        for member in members.iter().filter(|member| member.priority == 0) {
            let count: &mut u64 = healthy.entry((*member.locality).clone()).or_default();
            *count += u64::from(member.health == Health::Healthy);
        }
        let all = members.iter().filter(|member| member.priority == 0);
        Self { own, healthy, health: count_health(all.map(|member| member.health)) }
    }

    /// The part of the healthy ones that is at `locality`.
    fn part(&self, locality: &Locality) -> u64 {
        let all = self.healthy.values().sum::<u64>();
        let here = self.healthy.get(locality).copied().unwrap_or(0);
        (WHOLE * here).checked_div(all).unwrap_or(0)
    }

    /// Whether it is known well enough who sends requests from where.
    fn are_known(&self, panic_threshold_percent: u32) -> bool {
        self.healthy.len() >= 2
            && self.healthy.contains_key(&self.own)
            && !self.health.is_below(panic_threshold_percent.min(100))
    }
}

/// The endpoints of the first priority by locality, and how requests are shared among these.
#[derive(Debug)]
pub(crate) struct ZoneRouting {
    routing_percent: u32,
    /// The proxy's own locality is the first, if any endpoint is there.
    zones: Vec<Zone>,
    plan: Plan,
}

#[derive(Debug)]
struct Zone {
    usable: Group,
    degraded: Group,
}

/// Endpoints of one locality, without those that are ill.
#[derive(Default)]
struct Usable {
    healthy: Vec<Arc<Endpoint>>,
    degraded: Vec<Arc<Endpoint>>,
}

impl Usable {
    fn count(&self) -> u64 {
        u64::try_from(self.healthy.len()).unwrap_or(u64::MAX)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Plan {
    /// All stays in the own locality.
    Own,
    /// Of [`WHOLE`] so much stays, and the rest goes to localities in proportion to these numbers.
    Spill { own: u64, spare: Vec<u64> },
}

impl ZoneRouting {
    /// Nothing where zones do not count. `level` are the endpoints of the first priority, which does not panic.
    pub(crate) fn build<'e>(
        level: impl Iterator<Item = &'e Arc<Endpoint>>,
        options: &EndpointSetOptions,
        peers: &Peers,
        before: Option<&Self>,
    ) -> Option<Self> {
        let mut by_locality: BTreeMap<&Locality, Usable> = BTreeMap::new();
        for endpoint in level {
            let here = by_locality.entry(&endpoint.locality).or_default();
            match options.health(endpoint) {
                Health::Healthy => here.healthy.push(Arc::clone(endpoint)),
                Health::Degraded => here.degraded.push(Arc::clone(endpoint)),
                Health::Unhealthy => {}
            }
        }
        let healthy: u64 = by_locality.values().map(Usable::count).sum();
        if by_locality.len() < 2
            || healthy < options.zone_aware.min_cluster_size
            || !peers.are_known(options.panic_threshold_percent)
        {
            return None;
        }
        let own = by_locality.remove_entry(&peers.own);
        let has_own = own.is_some();
        let ordered: Vec<_> = own.into_iter().chain(by_locality).collect();
        let parts: Vec<(u64, u64)> = ordered
            .iter()
            .map(|(locality, here)| match here.count() {
                0 => (0, 0),
                count => (peers.part(locality), (WHOLE * count).checked_div(healthy).unwrap_or(0)),
            })
            .collect();
        let zones = ordered.into_iter().enumerate().map(|(index, (_, here))| {
            let before = before.and_then(|before| before.zones.get(index));
            Zone {
                usable: Group::new(here.healthy, options, before.map(|zone| &zone.usable)),
                degraded: Group::new(here.degraded, options, before.map(|zone| &zone.degraded)),
            }
        });
        Some(Self {
            routing_percent: options.zone_aware.routing_percent,
            zones: zones.collect(),
            plan: Plan::of(&parts, has_own),
        })
    }

    /// The endpoints for one request; nothing where this request may go to any zone.
    pub(crate) fn choose(&self, part: Part, env: &mut Env<'_>) -> Option<&Group> {
        if self.routing_percent < 100 && env.random() % 100 >= u64::from(self.routing_percent) {
            return None;
        }
        let zone = self.zones.get(self.draw(env)?)?;
        Some(match part {
            Part::Healthy => &zone.usable,
            Part::Degraded => &zone.degraded,
        })
    }

    fn draw(&self, env: &mut Env<'_>) -> Option<usize> {
        let Plan::Spill { own, spare } = &self.plan else { return Some(0) };
        if env.random() % WHOLE < *own {
            return Some(0);
        }
        let Some(mut point) = env.random().checked_rem(spare.iter().sum()) else {
            // Rounding has left nobody any room.
            let any = env.random().checked_rem(u64::try_from(self.zones.len()).ok()?)?;
            return usize::try_from(any).ok();
        };
        spare.iter().position(|room| {
            let is_here = point < *room;
            point = point.saturating_sub(*room);
            is_here
        })
    }

    /// The groups of healthy endpoints, each with the part of the requests that it gets; and the part for which zones do
    /// not count.
    #[expect(clippy::cast_precision_loss, reason = "numbers of parts are far below 2^52")]
    pub(crate) fn shares(&self) -> (Vec<(&Group, f64)>, f64) {
        let regarded = f64::from(self.routing_percent) / 100.0;
        let count = self.zones.len().max(1) as f64;
        let share = |index: usize| match &self.plan {
            Plan::Own => f64::from(u8::from(index == 0)),
            Plan::Spill { own, spare } => {
                let own = (*own).min(WHOLE) as f64 / WHOLE as f64;
                let room = spare.get(index).copied().unwrap_or(0) as f64;
                let all = spare.iter().sum::<u64>() as f64;
                let rest = if all > 0.0 { room / all } else { 1.0 / count };
                f64::from(u8::from(index == 0)) * own + (1.0 - own) * rest
            }
        };
        let zones = self.zones.iter().enumerate();
        (
            zones.map(|(index, zone)| (&zone.usable, regarded * share(index))).collect(),
            1.0 - regarded,
        )
    }
}

impl Plan {
    /// `parts` are those of the proxies and of the endpoints that each locality has.
    fn of(parts: &[(u64, u64)], has_own: bool) -> Self {
        let mut own = 0;
        if let Some((proxies, endpoints)) = parts.first().filter(|_| has_own) {
            if *endpoints > 0 && endpoints >= proxies {
                return Self::Own;
            }
            own = (endpoints * WHOLE).checked_div(*proxies).unwrap_or(0);
        }
        let spare = parts.iter().enumerate().map(|(index, (proxies, endpoints))| {
            if index == 0 && has_own { 0 } else { endpoints.saturating_sub(*proxies) }
        });
        Self::Spill { own, spare: spare.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Plan, WHOLE};

    #[test]
    fn what_the_own_zone_cannot_take_goes_where_there_is_room() {
        assert_eq!(Plan::of(&[(5000, 5000), (5000, 5000)], true), Plan::Own);
        assert_eq!(Plan::of(&[(3333, 5000), (3333, 2500)], true), Plan::Own);
        let spill = |own, spare: &[u64]| Plan::Spill { own, spare: spare.to_vec() };
        // Half of the proxies are here, and a quarter of the endpoints.
        let parts = [(5000, 2500), (3000, 5000), (2000, 2500)];
        assert_eq!(Plan::of(&parts, true), spill(5000, &[0, 2000, 500]));
        // Nobody is here, or nobody healthy.
        assert_eq!(Plan::of(&[(0, 5000), (0, 5000)], false), spill(0, &[5000, 5000]));
        assert_eq!(Plan::of(&[(0, 0), (0, WHOLE)], true), spill(0, &[0, WHOLE]));
    }
}
