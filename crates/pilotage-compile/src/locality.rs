//! Which localities get how much of a cluster's traffic: weights and priorities of groups of endpoints.

use std::collections::{BTreeMap, BTreeSet};

use pilotage_config::destination_rule::{
    Distribute, Failover, LocalityLbSetting, ZoneAwareLbSetting,
};
use pilotage_model::destination_rule::Policy;
use pilotage_model::endpoint::Endpoint;
use pilotage_model::labels::Labels;
use pilotage_model::locality::Locality;
use pilotage_model::service::{Service, TrafficDistribution};
use pilotage_model::{Mesh, ProxyView};

const NETWORK: &str = "topology.istio.io/network";
const REGION: &str = "topology.kubernetes.io/region";
const ZONE: &str = "topology.kubernetes.io/zone";
const SUB_ZONE: &str = "topology.istio.io/subzone";
const NODE: &str = "kubernetes.io/hostname";

/// Endpoints of one locality and priority.
#[derive(Clone, Debug)]
pub(crate) struct Group<'a> {
    /// Where they are.
    pub(crate) locality: Locality,
    /// 0 is used first.
    pub(crate) priority: u32,
    /// The share of the locality.
    pub(crate) weight: u32,
    /// The endpoints.
    pub(crate) endpoints: Vec<&'a Endpoint>,
}

/// Which setting decides between localities.
#[derive(Clone, Debug)]
pub(crate) enum Preference<'a> {
    /// None.
    Off,
    /// Zone-aware routing.
    Zones(&'a ZoneAwareLbSetting),
    /// Locality load balancing.
    Locality {
        /// The setting.
        setting: &'a LocalityLbSetting,
        /// Whether the proxy finds out that endpoints fail, without which it would never turn to the next priority.
        failover: bool,
    },
    /// The labels by which a service prefers endpoints near the client.
    Distribution(&'static [&'static str]),
}

impl<'a> Preference<'a> {
    /// The setting for a service under a policy: the rule's wins over the service's, which wins over the mesh's.
    pub(crate) fn of(policy: &'a Policy, service: &Service, mesh: &'a Mesh) -> Self {
        let balancer = policy.load_balancer.as_ref();
        let failover = policy.outlier_detection.is_some();
        if let Some(zones) = balancer.and_then(|balancer| balancer.zone_aware_lb_setting.as_ref()) {
            return Self::Zones(zones);
        }
        let setting = balancer.and_then(|balancer| balancer.locality_lb_setting.as_ref());
        if let Some(setting) = setting {
            return Self::locality(setting, failover);
        }
        match service.traffic_distribution {
            TrafficDistribution::PreferSameZone => {
                return Self::Distribution(&[NETWORK, REGION, ZONE]);
            }
            TrafficDistribution::PreferSameNode => {
                return Self::Distribution(&[NETWORK, REGION, ZONE, SUB_ZONE, NODE]);
            }
            TrafficDistribution::Any => {}
        }
        if let Some(zones) = &mesh.config().zone_aware_lb_setting {
            return Self::Zones(zones);
        }
        let setting = mesh.config().locality_lb_setting.as_ref();
        setting.map_or(Self::Off, |setting| Self::locality(setting, failover))
    }

    fn locality(setting: &'a LocalityLbSetting, failover: bool) -> Self {
        if setting.enabled == Some(false) {
            Self::Off
        } else {
            Self::Locality { setting, failover }
        }
    }

    /// The setting of zone-aware routing, when that decides.
    pub(crate) fn zones(&self) -> Option<&'a ZoneAwareLbSetting> {
        match self {
            Self::Zones(zones) => Some(zones),
            _ => None,
        }
    }

    /// Whether the weights of localities count.
    pub(crate) fn is_weighted(&self) -> bool {
        match self {
            Self::Off | Self::Zones(_) => false,
            Self::Distribution(_) => true,
            Self::Locality { setting, failover } => {
                let ordered = !setting.failover.is_empty() || !setting.failover_priority.is_empty();
                !setting.distribute.is_empty() || *failover && ordered
            }
        }
    }

    /// Gives the groups their weights and priorities, as a client sees them.
    pub(crate) fn apply(&self, groups: &mut Vec<Group<'_>>, view: &ProxyView) {
        let here = &view.proxy.locality;
        match self {
            Self::Off => {}
            Self::Zones(zones) => {
                if zones.enabled == Some(false) {
                    return;
                }
                if zones.failover_priority.is_empty() {
                    by_region(groups, here, &zones.failover);
                } else {
                    let labels: Vec<&str> =
                        zones.failover_priority.iter().map(String::as_str).collect();
                    by_labels(groups, &labels, &client_labels(view));
                    compact(groups);
                    by_region(groups, here, &zones.failover);
                }
            }
            Self::Distribution(labels) => {
                by_labels(groups, labels, &client_labels(view));
                compact(groups);
            }
            Self::Locality { setting, failover } => {
                if !setting.distribute.is_empty() {
                    distribute(groups, here, &setting.distribute);
                } else if *failover {
                    fail_over(groups, view, setting);
                }
            }
        }
    }
}

fn fail_over(groups: &mut Vec<Group<'_>>, view: &ProxyView, setting: &LocalityLbSetting) {
    let here = &view.proxy.locality;
    if !setting.failover_priority.is_empty() {
        let labels: Vec<&str> = setting.failover_priority.iter().map(String::as_str).collect();
        by_labels(groups, &labels, &client_labels(view));
        compact(groups);
        if setting.failover.is_empty() {
            return;
        }
    }
    for group in groups.iter_mut() {
        let mut distance = here.distance(&group.locality);
        if distance == 3 && is_not_next(here, &group.locality, &setting.failover) {
            distance = 4;
        }
        group.priority = group.priority * 5 + distance;
    }
    compact(groups);
}

/// Whether there is a rule for where to go from `here`, and it does not lead to `there`.
fn is_not_next(here: &Locality, there: &Locality, failover: &[Failover]) -> bool {
    let rule = failover.iter().find(|rule| rule.from == here.region);
    rule.is_some_and(|rule| rule.to != there.region)
}

/// The own region first, then the one that a rule names, then the rest.
fn by_region(groups: &mut [Group<'_>], here: &Locality, failover: &[Failover]) {
    for group in groups.iter_mut() {
        let rank = if group.locality.region == here.region {
            0
        } else if is_not_next(here, &group.locality, failover) {
            2
        } else {
            1
        };
        group.priority = group.priority * 3 + rank;
    }
    compact(groups);
}

/// Closes gaps between priorities.
fn compact(groups: &mut [Group<'_>]) {
    let used: BTreeSet<u32> = groups.iter().map(|group| group.priority).collect();
    let ranks: BTreeMap<u32, u32> = used.into_iter().zip(0..).collect();
    for group in groups {
        group.priority = ranks.get(&group.priority).copied().unwrap_or(group.priority);
    }
}

/// Fixed shares: the first setting whose origin covers the client decides. Localities that it does not name get
/// nothing.
fn distribute(groups: &mut [Group<'_>], here: &Locality, settings: &[Distribute]) {
    let Some(setting) = settings.iter().find(|setting| here.within(&setting.from)) else { return };
    let mut open: BTreeSet<usize> = (0..groups.len()).collect();
    for (pattern, share) in &setting.to {
        let (taken, rest): (BTreeSet<usize>, BTreeSet<usize>) = open
            .into_iter()
            .partition(|index| groups.get(*index).is_some_and(|g| g.locality.within(pattern)));
        open = rest;
        let total: u64 =
            taken.iter().filter_map(|index| groups.get(*index)).map(|g| u64::from(g.weight)).sum();
        for index in taken {
            if let Some(group) = groups.get_mut(index)
                && total > 0
            {
                let weight = (u64::from(group.weight) * u64::from(*share)).div_ceil(total);
                if weight > 0 {
                    group.weight = u32::try_from(weight).unwrap_or(u32::MAX);
                }
            }
        }
    }
    for index in open {
        if let Some(group) = groups.get_mut(index) {
            group.endpoints.clear();
        }
    }
}

/// Splits groups by how many labels, from the first on, endpoints share with the client.
fn by_labels(groups: &mut Vec<Group<'_>>, labels: &[&str], client: &Labels) {
    if client.is_empty() {
        return;
    }
    let mut split = Vec::with_capacity(groups.len());
    for group in groups.drain(..) {
        let mut by_priority: BTreeMap<u32, Vec<&Endpoint>> = BTreeMap::new();
        for endpoint in &group.endpoints {
            let priority = mismatch(labels, client, &endpoint.workload.labels);
            by_priority.entry(priority).or_default().push(endpoint);
        }
        for (priority, endpoints) in by_priority {
            let weight = endpoints.iter().fold(0, |sum: u32, e| sum.saturating_add(e.weight));
            split.push(Group { locality: group.locality.clone(), priority, weight, endpoints });
        }
    }
    *groups = split;
}

/// 0 when all labels agree, else the number of labels from the first that differs on. When the first is the network,
/// endpoints elsewhere come after all others, ordered by the remaining labels.
fn mismatch(labels: &[&str], client: &Labels, endpoint: &Labels) -> u32 {
    let count = u32::try_from(labels.len()).unwrap_or(u32::MAX);
    let mut far = 0;
    for (index, label) in labels.iter().enumerate() {
        let (key, wanted) = match label.split_once('=') {
            Some((key, value)) => (key, value),
            None => (*label, client.get(*label).map_or("", String::as_str)),
        };
        if endpoint.get(key).map_or("", String::as_str) == wanted {
            continue;
        }
        if index == 0 && key == NETWORK {
            far = count;
            continue;
        }
        return far + count - u32::try_from(index).unwrap_or_default();
    }
    far
}

/// The client's labels, completed with those of its place.
fn client_labels(view: &ProxyView) -> Labels {
    let proxy = &view.proxy;
    pilotage_model::workloads::augmented(
        &proxy.labels,
        &proxy.locality,
        &proxy.node,
        &proxy.network,
    )
}

#[cfg(test)]
mod tests;
