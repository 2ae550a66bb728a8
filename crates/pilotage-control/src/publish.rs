//! Giving generations to proxies.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use pilotage_config::mesh::MeshConfig;
use pilotage_model::{ProxyView, Snapshot};
use pilotage_proto::ResourceSet;

use crate::identities::ProxyId;

/// Everything that proxies are given at one point in time. A proxy gets it as a whole or not at all.
#[derive(Clone, Debug, Default)]
pub struct Generation {
    /// Counts from 1.
    pub number: u64,
    /// What each proxy is given.
    pub proxies: BTreeMap<ProxyId, Arc<ResourceSet>>,
    /// The settings of the mesh as written, for what is no resource: access logs.
    pub mesh: Arc<MeshConfig>,
    /// What the proxies were compiled from, for whoever explains what they do.
    pub known: Known,
}

/// What proxies are compiled from.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// All configuration; nothing before the first generation.
    pub snapshot: Option<Arc<Snapshot>>,
    /// What each proxy sees of it.
    pub views: BTreeMap<ProxyId, Arc<ProxyView>>,
}

/// Takes generations to the proxies.
///
/// Whoever implements this for proxies in other processes has to make before it breaks: clusters and endpoints first,
/// routes when these are acknowledged, removals last. A proxy in this process swaps one table, which is the same.
pub trait Publisher: Send {
    /// Publishes a generation. Returns what proxies did not accept; they keep the previous version of that.
    fn publish(&mut self, generation: &Generation) -> Vec<Refusal>;
}

/// A resource, or a part of one, that a proxy did not accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The proxy.
    pub proxy: ProxyId,
    /// Which resource, and what is wrong with it.
    pub reason: String,
    /// Whether the resource works without the part that is wrong.
    pub partial: bool,
    /// What else helps to put it right, in one sentence.
    pub note: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.proxy, self.reason)
    }
}
