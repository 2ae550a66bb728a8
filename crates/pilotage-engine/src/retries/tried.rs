//! Where the attempts of one request went, so that the next one goes elsewhere.

use super::{RetryPolicy, TriedPriorities};
use crate::endpoint::{Endpoint, EndpointAddress};
use crate::endpoint_set::EndpointSet;
use crate::load_balancing::PickContext;

/// Where the attempts of one request went, as far as its policy wants to know.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// How often to draw again because of endpoints to avoid. `None`: the policy does not mind.
    redraws: Option<u32>,
    /// Endpoints of the attempts before the latest. Most requests make one attempt, and need no list.
    endpoints: Vec<EndpointAddress>,
    latest: Option<EndpointAddress>,
    priorities: Option<TriedPriorities>,
}

impl Tried {
    /// Nothing tried yet, under this policy.
    pub fn new(policy: Option<&RetryPolicy>) -> Self {
        let Some(policy) = policy else { return Self::default() };
        Self {
            redraws: policy.avoid_previous_hosts.then_some(policy.max_redraws),
            endpoints: Vec::new(),
            latest: None,
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
        self.endpoints.extend(self.latest.take());
        PickContext {
            avoid: &self.endpoints,
            max_redraws: self.redraws.unwrap_or_default(),
            excluded_priorities,
            ..PickContext::default()
        }
    }

    /// An attempt goes to `endpoint`.
    pub fn note(&mut self, endpoint: &Endpoint) {
        if self.redraws.is_some() {
            self.latest = Some(endpoint.address.clone());
        }
        if let Some(tried) = &mut self.priorities {
            tried.note(endpoint.priority);
        }
    }
}
