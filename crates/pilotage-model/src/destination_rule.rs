//! Destination rules: merging, lookup, and the policy that holds for one port of one subset.

pub mod lookup;
pub mod policy;

use std::collections::BTreeSet;
use std::sync::Arc;

use pilotage_config::destination_rule::{Subset, TrafficPolicy};
use pilotage_config::mesh::DefaultTrafficPolicy;
use pilotage_config::object::{Kind, Object};

pub use lookup::DestinationRules;
pub use policy::Policy;

use crate::age::Age;
use crate::host::Host;
use crate::labels::Labels;
use crate::mesh::Mesh;
use crate::origin::Origin;

/// A destination rule as a client uses it, the younger rules for the same host merged in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DestinationRule {
    /// The host, completed.
    pub host: Host,
    /// The name of the oldest object in it.
    pub name: Arc<str>,
    /// The namespace of the objects.
    pub namespace: Arc<str>,
    /// When the oldest object was created.
    pub age: Age,
    /// The clients it is for; nothing means all.
    pub selector: Option<Labels>,
    /// The settings for all ports and subsets.
    pub traffic_policy: Option<Arc<TrafficPolicy>>,
    /// The subsets, each with where it was written.
    pub subsets: Vec<(Arc<Subset>, Origin)>,
    /// The oldest object.
    pub origin: Origin,
    /// All objects in it, oldest first.
    pub merged: Vec<Origin>,
}

impl DestinationRule {
    /// The subset of this name.
    #[must_use]
    pub fn subset(&self, name: &str) -> Option<&Arc<Subset>> {
        self.subsets.iter().map(|(subset, _)| subset).find(|subset| subset.name == name)
    }

    /// The policy for `port`, of the subset of this name or (empty name) of the host as a whole.
    #[must_use]
    pub fn policy(&self, port: u16, subset: &str) -> Policy {
        self.policy_over(None, port, subset)
    }

    /// The same, laid over the mesh's defaults.
    #[must_use]
    pub fn policy_over(
        &self,
        defaults: Option<&DefaultTrafficPolicy>,
        port: u16,
        subset: &str,
    ) -> Policy {
        let subset = self.subset(subset).and_then(|subset| subset.traffic_policy.as_ref());
        Policy::effective(defaults, self.traffic_policy.as_deref(), subset, port)
    }

    /// Merges a younger rule for the same host: its subsets are added unless their name is taken, its policy counts
    /// if there is none yet.
    fn merge(&mut self, younger: &Self) {
        for (subset, origin) in &younger.subsets {
            if self.subset(&subset.name).is_none() {
                self.subsets.push((Arc::clone(subset), origin.clone()));
            }
        }
        if self.traffic_policy.is_none() {
            self.traffic_policy.clone_from(&younger.traffic_policy);
        }
        self.merged.push(younger.origin.clone());
    }
}

/// A rule as written, with its `exportTo`.
#[derive(Clone, Debug)]
struct Written {
    rule: DestinationRule,
    export_to: BTreeSet<Arc<str>>,
}

/// All rules as written: those for some clients before those for all, oldest first within each.
fn written(objects: &[Arc<Object>], mesh: &Mesh) -> Vec<Written> {
    let mut all: Vec<_> = objects.iter().filter_map(|object| one(object, mesh)).collect();
    all.sort_by(|a, b| {
        let (a, b) = (&a.rule, &b.rule);
        let first = a.selector.is_none().cmp(&b.selector.is_none());
        first.then_with(|| (a.age, &a.name, &a.namespace).cmp(&(b.age, &b.name, &b.namespace)))
    });
    all
}

fn one(object: &Object, mesh: &Mesh) -> Option<Written> {
    let Kind::DestinationRule(spec) = &object.body else { return None };
    let namespace: Arc<str> = object.namespace().into();
    let origin = Origin::of(object.reference());
    // The first of several subsets of one name counts.
    let mut subsets: Vec<(Arc<Subset>, Origin)> = Vec::new();
    for (index, subset) in spec.subsets.iter().enumerate() {
        if subsets.iter().all(|(known, _)| known.name != subset.name) {
            let origin = origin.at(format!("spec.subsets[{index}]"));
            subsets.push((Arc::new(subset.clone()), origin));
        }
    }
    let selector = spec.workload_selector.as_ref().map(|selector| selector.match_labels.clone());
    // A rule for some clients never leaves its namespace.
    let export_to = if selector.is_some() {
        BTreeSet::from([Arc::from(".")])
    } else {
        spec.export_to.iter().map(|entry| entry.as_str().into()).collect()
    };
    let rule = DestinationRule {
        host: Host::complete(&spec.host, &namespace, mesh.domain()),
        name: object.name().into(),
        namespace,
        age: Age::new(object.meta.creation_timestamp),
        selector,
        traffic_policy: spec.traffic_policy.clone().map(Arc::new),
        subsets,
        merged: vec![origin.clone()],
        origin,
    };
    Some(Written { rule, export_to })
}
