//! Where the attempts of one request went, so that the next one goes elsewhere.

use super::{RetryPolicy, TriedPriorities};
use crate::endpoint::{Endpoint, EndpointAddress};
use crate::endpoint_set::EndpointSet;
use crate::load_balancing::PickContext;

/// Where the attempts of one request went, as far as its policy wants to know.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// Endpoints to avoid, and how often to draw again because of them. `None`: the policy does not mind.
    endpoints: Option<(Vec<EndpointAddress>, u32)>,
    priorities: Option<TriedPriorities>,
}

impl Tried {
    /// Nothing tried yet, under this policy.
    pub fn new(policy: Option<&RetryPolicy>) -> Self {
        let Some(policy) = policy else { return Self::default() };
        Self {
            endpoints: policy.avoid_previous_hosts.then(|| (Vec::new(), policy.max_redraws)),
            priorities: policy.avoid_previous_priorities.map(TriedPriorities::new),
        }
    }

    /// What the choice of an endpoint of `set` for the next attempt has to heed.
    pub fn context(
        &mut self,
        set: impl FnOnce() -> std::sync::Arc<EndpointSet>,
    ) -> PickContext<'_> {
        let excluded_priorities = match &mut self.priorities {
            Some(tried) if tried.any() => tried.excluded(&set()),
            _ => 0,
        };
        let (avoid, max_redraws) = match &self.endpoints {
            Some((tried, redraws)) => (&tried[..], *redraws),
            None => (&[][..], 0),
        };
        PickContext { avoid, max_redraws, excluded_priorities, ..PickContext::default() }
    }

    /// An attempt goes to `endpoint`.
    pub fn note(&mut self, endpoint: &Endpoint) {
        if let Some((tried, _)) = &mut self.endpoints {
            tried.push(endpoint.address.clone());
        }
        if let Some(tried) = &mut self.priorities {
            tried.note(endpoint.priority);
        }
    }
}
