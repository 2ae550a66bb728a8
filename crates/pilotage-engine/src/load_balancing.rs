//! Choosing one endpoint of a cluster for one attempt.

mod consistent_hash;
mod least_request;
mod random;
mod round_robin;
mod slow_start;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::consistent_hash::HashTable;
pub use self::consistent_hash::Hashing;
pub use self::slow_start::SlowStart;
use crate::cluster::{ClusterTable, Discovery};
use crate::endpoint::{Endpoint, EndpointAddress, Health, Locality};
use crate::endpoint_set::{EndpointSet, Group};
use crate::env::Env;
use crate::priorities::{Part, choose};

/// How an endpoint of a group is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Policy {
    /// In turn, each as often as its weight says.
    RoundRobin,
    /// Of a few drawn at random, the one with the fewest requests in flight.
    LeastRequest {
        /// How many are drawn.
        choices: u32,
        /// Where weights differ: how strongly requests in flight count against an endpoint. 0 is not at all.
        bias: f64,
    },
    /// Drawn at random, whatever the weights.
    Random,
    /// By the hash of the request; at random when it has none.
    ConsistentHash(Hashing),
    /// Where the client wanted to go.
    OriginalDst {
        /// Replaces the port of the original destination.
        port: Option<u16>,
    },
}

/// What choosing an endpoint may look at.
#[derive(Clone, Copy, Debug, Default)]
pub struct PickContext<'a> {
    /// Where the client wanted to go, for [`Policy::OriginalDst`]; where the host is that it named, for
    /// [`Discovery::DynamicForwardProxy`].
    pub original_destination: Option<SocketAddr>,
    /// Hash of the request, for consistent hashing.
    pub hash: Option<u64>,
    /// Endpoints that earlier attempts of this request used, and that should not be chosen again.
    pub avoid: &'a [EndpointAddress],
    /// Priorities that earlier attempts of this request used, one bit each, and that should not be used again. A hash
    /// pays no heed to them.
    pub excluded_priorities: u128,
    /// How often to draw again when an endpoint to avoid was drawn.
    pub max_redraws: u32,
}

/// Why no endpoint could be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PickError {
    /// No endpoint may be used: Envoy's `UH`.
    #[error("no healthy upstream")]
    NoHealthyUpstream,
}

/// Chooses an endpoint of `cluster`, whose endpoints are `set` now.
pub(crate) fn pick(
    cluster: &ClusterTable,
    set: &EndpointSet,
    context: &PickContext<'_>,
    env: &mut Env<'_>,
) -> Result<Arc<Endpoint>, PickError> {
    if let Policy::OriginalDst { port } = cluster.settings.policy {
        return original_destination(cluster, context, port);
    }
    if cluster.settings.discovery == Discovery::DynamicForwardProxy {
        return original_destination(cluster, context, None);
    }
    let hash = match cluster.settings.policy {
        Policy::ConsistentHash(_) => Some(context.hash.unwrap_or_else(|| env.random())),
        _ => None,
    };
    if set.has_unseen() {
        cluster.greet_arrivals(env.now);
    }
    let moment = Moment::new(cluster, env.now);
    let group = choose_group(set, hash, context.excluded_priorities, env)
        .ok_or(PickError::NoHealthyUpstream)?;
    let mut redraws = if context.avoid.is_empty() { 0 } else { context.max_redraws };
    let mut draw = 0_u64;
    loop {
        let drawn = match cluster.settings.policy {
            Policy::ConsistentHash(_) => group.hashed(rehashed(hash.unwrap_or_default(), draw)),
            Policy::RoundRobin => round_robin::pick(group, &moment),
            Policy::LeastRequest { choices, bias } => {
                least_request::pick(group, (choices, bias), &moment, env)
            }
            Policy::Random | Policy::OriginalDst { .. } => random::pick(group, env),
        };
        let endpoint = drawn.ok_or(PickError::NoHealthyUpstream)?;
        if redraws == 0 || !context.avoid.contains(&endpoint.address) {
            return Ok(Arc::clone(endpoint));
        }
        redraws -= 1;
        draw += 1;
    }
}

/// What the weights of endpoints are at one moment.
struct Moment<'c> {
    now: Duration,
    /// Set while endpoints of the cluster may be growing to their weights.
    growing: Option<&'c SlowStart>,
}

impl<'c> Moment<'c> {
    fn new(cluster: &'c ClusterTable, now: Duration) -> Self {
        let slow_start = cluster.settings.slow_start.as_ref();
        Self { now, growing: slow_start.filter(|s| s.is_under_way(&cluster.state, now)) }
    }

    fn weight(&self, endpoint: &Endpoint) -> f64 {
        // Who is used in a panic although it is ill has its whole weight.
        let growing = self
            .growing
            .filter(|_| endpoint.health == Health::Healthy && !endpoint.state.outlier.is_ejected());
        let factor = growing.map_or(1.0, |slow_start| slow_start.factor(&endpoint.state, self.now));
        f64::from(endpoint.weight) * factor
    }
}

/// The hash for another draw, so that an endpoint to avoid gives way to another one, always the same.
fn rehashed(hash: u64, draw: u64) -> u64 {
    if draw == 0 { hash } else { hash ^ (u64::MAX - draw + 1) }
}

/// The group of endpoints to choose from: priority by load, then locality by weight.
/// A hash, where there is one, decides instead of chance.
fn choose_group<'s>(
    set: &'s EndpointSet,
    hash: Option<u64>,
    excluded: u128,
    env: &mut Env<'_>,
) -> Option<&'s Group> {
    if let ([load], [priority]) = (set.loads.as_slice(), set.priorities.as_slice())
        && load.degraded_percent == 0
    {
        let zoned = set.zones.as_ref().and_then(|zones| zones.choose(Part::Healthy, env));
        return zoned.or_else(|| priority.usable.next());
    }
    let point = u32::try_from(hash.unwrap_or_else(|| env.random()).checked_rem(100)?).ok()?;
    let excluded = if hash.is_some() { 0 } else { excluded };
    let (index, part) = choose(&set.loads, point, excluded)?;
    let (load, priority) = (set.loads.get(index)?, set.priorities.get(index)?);
    let zones = set.zones.as_ref().filter(|_| index == 0);
    if let Some(group) = zones.and_then(|zones| zones.choose(part, env)) {
        return Some(group);
    }
    match part {
        // A priority that panics uses everything, whatever made the load come here.
        Part::Degraded if !load.panic => set.degraded(priority).next(),
        Part::Healthy | Part::Degraded => priority.usable.next(),
    }
}

/// An endpoint at the place the client wanted to reach. It has counters of its own only for this request.
fn original_destination(
    cluster: &ClusterTable,
    context: &PickContext<'_>,
    port: Option<u16>,
) -> Result<Arc<Endpoint>, PickError> {
    let mut address = context.original_destination.ok_or(PickError::NoHealthyUpstream)?;
    if let Some(port) = port {
        address.set_port(port);
    }
    Ok(Arc::new(Endpoint {
        address: EndpointAddress::Socket(address),
        others: Arc::default(),
        hostname: Arc::default(),
        weight: 1,
        health: Health::Healthy,
        locality: Arc::new(Locality::default()),
        priority: 0,
        tls: cluster.settings.tls.clone(),
        state: Arc::default(),
    }))
}
