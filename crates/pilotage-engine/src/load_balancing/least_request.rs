//! LEAST_REQUEST: of a few endpoints drawn at random, the one with the fewest requests in flight for its weight.

use std::sync::Arc;

use crate::endpoint::Endpoint;
use crate::endpoint_set::Group;
use crate::env::Env;

pub(super) fn pick<'g>(
    group: &'g Group,
    choices: u32,
    env: &mut Env<'_>,
) -> Option<&'g Arc<Endpoint>> {
    let mut best = group.draw(env.random())?;
    if group.endpoints.len() == 1 {
        return Some(best);
    }
    for _ in 1..choices.max(1) {
        let other = group.draw(env.random())?;
        if is_less_busy(other, best) {
            best = other;
        }
    }
    Some(best)
}

/// Whether `a` has fewer requests in flight per weight. Draws already follow weights, so equally busy ones must not
/// be decided by weight again.
fn is_less_busy(a: &Endpoint, b: &Endpoint) -> bool {
    let load = |e: &Endpoint| u64::from(e.state.active_requests.get());
    load(a) * u64::from(b.weight) < load(b) * u64::from(a.weight)
}
