//! LEAST_REQUEST: the endpoint with fewer requests in flight.

use std::sync::Arc;

use super::Moment;
use crate::endpoint::Endpoint;
use crate::endpoint_set::Group;
use crate::env::Env;

/// While all weights are the same: of a few endpoints drawn at random, the one with the fewest requests in flight.
/// Else all take turns, by weights that shrink with their requests in flight.
pub(super) fn pick<'g>(
    group: &'g Group,
    (choices, bias): (u32, f64),
    moment: &Moment<'_>,
    env: &mut Env<'_>,
) -> Option<&'g Arc<Endpoint>> {
    if !group.uniform || moment.growing.is_some() {
        return group.next_by(|e| moment.weight(e) / busyness(e, bias));
    }
    let mut best = group.draw(env.random())?;
    if group.endpoints.len() == 1 {
        return Some(best);
    }
    for _ in 1..choices.max(1) {
        let other = group.draw(env.random())?;
        if other.state.active_requests.get() < best.state.active_requests.get() {
            best = other;
        }
    }
    Some(best)
}

/// What requests in flight divide the weight by.
fn busyness(endpoint: &Endpoint, bias: f64) -> f64 {
    let requests = f64::from(endpoint.state.active_requests.get()) + 1.0;
    if bias == 1.0 { requests } else { requests.powf(bias) }
}
