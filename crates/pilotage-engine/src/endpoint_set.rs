//! The endpoints of a cluster at one moment, prepared so that choosing one needs neither a lock nor an allocation.

mod group;
mod groups;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub(crate) use self::group::Group;
pub(crate) use self::groups::Groups;
use self::groups::Selection;
use crate::endpoint::{Endpoint, Health};
use crate::load_balancing::Hashing;
use crate::priorities::{PriorityLoad, count_health, is_any_able, loads};
use crate::zone_routing::{Peers, ZoneAware, ZoneRouting};

/// All endpoints of a cluster, grouped by priority and locality, with the health they had when it was built.
#[derive(Debug, Default)]
pub struct EndpointSet {
    localities: Arc<[LocalityEndpoints]>,
    endpoints: Vec<Arc<Endpoint>>,
    options: EndpointSetOptions,
    /// The proxies like this one, where they are known.
    peers: Option<Arc<Peers>>,
    /// Which state of health it shows.
    pub(crate) generation: u64,
    pub(crate) priorities: Vec<Priority>,
    /// Share of each priority, in percent; the sum is 100 whenever there are priorities.
    pub(crate) loads: Vec<PriorityLoad>,
    /// How zones share what goes to the first priority, if they count.
    pub(crate) zones: Option<ZoneRouting>,
    /// Endpoints whose time in service has not begun to count.
    pub(crate) unseen: AtomicBool,
}

/// The endpoints of one priority.
#[derive(Debug, Default)]
pub(crate) struct Priority {
    /// Used in ordinary times everything healthy, in a panic everything; in one group, or one group per locality when
    /// localities are weighted.
    pub(crate) usable: Groups,
    /// Used for the share of the load that degraded endpoints take.
    pub(crate) degraded: Groups,
}

/// How an [`EndpointSet`] is prepared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EndpointSetOptions {
    /// Percent of healthy endpoints of a priority below which all its endpoints are used; 0 switches that off.
    pub panic_threshold_percent: u32,
    /// How much more than its share a priority can take, in percent: 140.
    pub overprovisioning_percent: u32,
    /// Whether localities get traffic by their own weights.
    pub locality_weighted: bool,
    /// How zones count, where it is known how the proxies are spread over them.
    pub zone_aware: ZoneAware,
    /// Whether, and how, endpoints are found by hash.
    pub hashing: Option<Hashing>,
    /// Whether weights follow the requests in flight where they are not all the same.
    pub by_load: bool,
    /// Whether endpoints are chosen without regard to their weights.
    pub ignores_weights: bool,
    /// Whether endpoints begin with a smaller share.
    pub slow_start: bool,
    /// Whether endpoints that outlier detection ejected are out.
    pub ejects: bool,
}

impl Default for EndpointSetOptions {
    fn default() -> Self {
        Self {
            panic_threshold_percent: 50,
            overprovisioning_percent: 140,
            locality_weighted: false,
            zone_aware: ZoneAware::default(),
            hashing: None,
            by_load: false,
            ignores_weights: false,
            slow_start: false,
            ejects: false,
        }
    }
}

impl EndpointSetOptions {
    /// The health that counts: reported health, and no ejection.
    pub(crate) fn health(&self, endpoint: &Endpoint) -> Health {
        if self.ejects && endpoint.state.outlier.is_ejected() {
            Health::Unhealthy
        } else {
            endpoint.health
        }
    }
}

/// Endpoints of one locality at one priority, as delivered.
#[derive(Clone, Debug)]
pub(crate) struct LocalityEndpoints {
    pub(crate) priority: u32,
    /// Weight of the locality; `None` or 0 gets no traffic when localities are weighted.
    pub(crate) weight: u32,
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
}

/// What part of the requests a priority takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriorityPlan {
    /// The priority.
    pub priority: usize,
    /// Percent of the requests that go to its healthy endpoints, or to all of them in a panic.
    pub healthy_percent: u32,
    /// Percent of the requests that go to its degraded endpoints.
    pub degraded_percent: u32,
    /// Whether so few are healthy that all its endpoints are used alike.
    pub panic: bool,
}

impl EndpointSet {
    /// A set that shows health as of `generation`, whose turns go on where those of `before` stopped.
    pub(crate) fn build(
        localities: Arc<[LocalityEndpoints]>,
        options: EndpointSetOptions,
        peers: Option<&Arc<Peers>>,
        generation: u64,
        before: Option<&Self>,
    ) -> Self {
        let highest = localities.iter().map(|l| l.priority).max();
        let count = highest.map_or(0, |p| usize::try_from(p).unwrap_or(0).saturating_add(1));
        let levels: Vec<Vec<&LocalityEndpoints>> =
            (0..count).map(|level| at_level(&localities, level, &options)).collect();
        let health = |endpoint: &Endpoint| options.health(endpoint);
        let counts: Vec<_> = levels
            .iter()
            .map(|level| count_health(level.iter().flat_map(|l| &l.endpoints).map(|e| health(e))))
            .collect();
        let loads = loads(&counts, &options);
        let priorities: Vec<Priority> = levels
            .iter()
            .zip(&loads)
            .enumerate()
            .map(|(index, (level, load))| {
                let before = before.and_then(|set| set.priorities.get(index));
                Priority::build(level, load.panic, &options, before)
            })
            .collect();
        let zones = match (levels.first(), priorities.first(), loads.first(), peers) {
            (Some(level), Some(priority), Some(load), Some(peers)) => {
                let splits = options.locality_weighted && priority.usable.is_split();
                let counts = options.hashing.is_none() && !load.panic && !splits;
                let level = level.iter().flat_map(|locality| &locality.endpoints);
                let before = before.and_then(|set| set.zones.as_ref());
                counts.then(|| ZoneRouting::build(level, &options, peers, before)).flatten()
            }
            _ => None,
        };
        let endpoints: Vec<_> =
            localities.iter().flat_map(|l| l.endpoints.iter().cloned()).collect();
        let unseen = options.slow_start
            && endpoints
                .iter()
                .any(|e| health(e) == Health::Healthy && e.state.in_service_since().is_none());
        Self {
            localities,
            endpoints,
            options,
            peers: peers.cloned(),
            generation,
            priorities,
            loads,
            zones,
            unseen: AtomicBool::new(unseen),
        }
    }

    /// The same endpoints with the health they have now, which is that of `generation`.
    pub(crate) fn rebuilt(&self, generation: u64) -> Self {
        let localities = Arc::clone(&self.localities);
        Self::build(localities, self.options, self.peers.as_ref(), generation, Some(self))
    }

    /// All endpoints, healthy or not, in the order of delivery.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.endpoints.iter()
    }

    pub(crate) fn members(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// Number of endpoints.
    pub fn len(&self) -> usize {
        self.endpoints.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.endpoints.is_empty()
    }

    /// The health of one of the endpoints that counts now: as reported, and not ejected.
    pub fn health(&self, endpoint: &Endpoint) -> Health {
        self.options.health(endpoint)
    }

    /// What part of the requests each priority takes.
    pub fn plan(&self) -> impl Iterator<Item = PriorityPlan> + '_ {
        self.loads.iter().enumerate().map(|(priority, load)| PriorityPlan {
            priority,
            healthy_percent: load.healthy_percent,
            degraded_percent: load.degraded_percent,
            panic: load.panic,
        })
    }

    /// The share of the requests that each endpoint gets, in percent, in the order of [`EndpointSet::iter`], as far as
    /// priorities, localities and weights decide it.
    pub fn shares(&self) -> Vec<f64> {
        let weigh = |e: &Endpoint| if self.options.ignores_weights { 1.0 } else { e.weight.into() };
        let share = |endpoint: &Arc<Endpoint>| {
            let mut levels = self.priorities.iter().zip(&self.loads);
            let first = self.zones.as_ref().and_then(|zones| {
                let (priority, load) = levels.next()?;
                let (parts, rest) = zones.shares();
                let part = |(group, part): &(&Group, f64)| part * group.share(endpoint, weigh);
                let zoned: f64 = parts.iter().map(part).sum();
                let healthy = zoned + rest * priority.usable.share(endpoint, weigh);
                let degraded = priority.degraded.share(endpoint, weigh);
                Some(
                    f64::from(load.healthy_percent) * healthy
                        + f64::from(load.degraded_percent) * degraded,
                )
            });
            let parts = levels.flat_map(|(priority, load)| {
                let by_hash = self.options.hashing.is_some();
                let degraded = if by_hash { &priority.usable } else { &priority.degraded };
                [(&priority.usable, load.healthy_percent), (degraded, load.degraded_percent)]
            });
            let parts =
                parts.map(|(groups, percent)| f64::from(percent) * groups.share(endpoint, weigh));
            first.into_iter().chain(parts).sum()
        };
        self.endpoints.iter().map(share).collect()
    }

    /// The groups for requests that come to the degraded endpoints of `priority`. A hash finds healthy ones all the
    /// same.
    pub(crate) fn degraded<'s>(&self, priority: &'s Priority) -> &'s Groups {
        if self.options.hashing.is_some() { &priority.usable } else { &priority.degraded }
    }

    /// Whether anybody may be used beside the priorities whose bit is set in `excluded`.
    pub(crate) fn has_available_beside(&self, excluded: u128) -> bool {
        is_any_able(&self.loads, excluded)
    }

    /// Whether the time in service of some endpoint has not begun to count.
    pub(crate) fn has_unseen(&self) -> bool {
        self.unseen.load(Ordering::Relaxed)
    }
}

/// The localities of one priority. Where they have weights, those without endpoints do not count, and their order is
/// that of their names.
fn at_level<'l>(
    localities: &'l [LocalityEndpoints],
    level: usize,
    options: &EndpointSetOptions,
) -> Vec<&'l LocalityEndpoints> {
    let mut here: Vec<_> =
        localities.iter().filter(|l| usize::try_from(l.priority) == Ok(level)).collect();
    if options.locality_weighted {
        here.retain(|locality| !locality.endpoints.is_empty());
        here.sort_by_key(|locality| locality.endpoints.first().map(|e| &e.locality));
    }
    here
}

impl Priority {
    fn build(
        localities: &[&LocalityEndpoints],
        panic: bool,
        options: &EndpointSetOptions,
        before: Option<&Self>,
    ) -> Self {
        let usable = |e: &Endpoint| panic || options.health(e) == Health::Healthy;
        let degraded = |e: &Endpoint| options.health(e) == Health::Degraded;
        let select = |fits| Selection { localities, fits, panic };
        Self {
            usable: Groups::build(&select(&usable), options, before.map(|p| &p.usable)),
            degraded: if options.hashing.is_some() {
                Groups::default()
            } else {
                Groups::build(&select(&degraded), options, before.map(|p| &p.degraded))
            },
        }
    }
}

impl Groups {
    /// The part of the requests to these groups that `endpoint` gets.
    #[expect(clippy::cast_precision_loss, reason = "sums of weights are far below 2^52")]
    fn share(&self, endpoint: &Arc<Endpoint>, weigh: impl Fn(&Endpoint) -> f64) -> f64 {
        let all: u64 = self.iter().map(|(_, weight)| weight).sum();
        for (group, weight) in self.iter() {
            let share = group.share(endpoint, &weigh);
            if share > 0.0 {
                return weight as f64 / all as f64 * share;
            }
        }
        0.0
    }
}

/// What stands at the cursor's place in `turns`, moving the cursor on.
fn turn(turns: &[u32], cursor: &AtomicUsize) -> Option<usize> {
    if turns.is_empty() {
        return None;
    }
    let place = cursor.fetch_add(1, Ordering::Relaxed).checked_rem(turns.len())?;
    turns.get(place).and_then(|index| usize::try_from(*index).ok())
}
