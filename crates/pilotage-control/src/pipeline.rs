//! From objects to what each proxy is given: the pure crates in a row, and a memory of what they said before.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilotage_compile::Previous;
use pilotage_config::mesh::MeshConfig;
use pilotage_config::{Diagnostic, Object, codes};
use pilotage_model::analysis::analyze;
use pilotage_model::analysis::subsets::SERVED_WITHOUT_PODS;
use pilotage_model::{ProxyView, Snapshot, build_after, view_after};
use pilotage_proto::ResourceSet;

use crate::identities::{Identities, ProxyId};
use crate::publish::Known;

/// What each proxy is given.
pub type Compiled = BTreeMap<ProxyId, Arc<ResourceSet>>;

/// Compiles objects for all proxies of a process.
///
/// It remembers the last snapshot, and for each proxy the last view and what was compiled from it. Each stage takes what
/// it said before and says in less time the same as it would without: what did not change is the very same.
#[derive(Debug)]
pub struct Pipeline {
    identities: Identities,
    snapshot: Option<Arc<Snapshot>>,
    last: BTreeMap<ProxyId, (Arc<ProxyView>, Arc<ResourceSet>)>,
}

impl Pipeline {
    /// A pipeline for these proxies.
    #[must_use]
    pub fn new(identities: Identities) -> Self {
        Self { identities, snapshot: None, last: BTreeMap::new() }
    }

    /// Compiles all objects.
    pub fn compile(&mut self, objects: &[Arc<Object>], mesh: &MeshConfig) -> Compiled {
        let snapshot = build_after(self.snapshot.as_deref(), objects, mesh);
        let mut last = BTreeMap::new();
        for (id, class) in self.identities.proxies(&snapshot) {
            let known = self.last.remove(&id);
            let before = known.as_ref().map(|(view, _)| &**view);
            let view = view_after(before, &snapshot, &class);
            let resources = match &known {
                Some((known, resources)) if *known == view => Arc::clone(resources),
                Some((known, resources)) => {
                    let previous = Previous { view: known, resources };
                    Arc::new(pilotage_compile::resources_after(previous, &view))
                }
                None => Arc::new(pilotage_compile::resources(&view)),
            };
            last.insert(id, (view, resources));
        }
        self.last = last;
        self.snapshot = Some(snapshot);
        self.last.iter().map(|(id, (_, set))| (id.clone(), Arc::clone(set))).collect()
    }

    /// What the proxies were last compiled from.
    #[must_use]
    pub fn known(&self) -> Known {
        let views = self.last.iter().map(|(id, (view, _))| (id.clone(), Arc::clone(view)));
        Known { snapshot: self.snapshot.clone(), views: views.collect() }
    }

    /// What only several objects together show to be wrong. Proxies do not wait for this.
    #[must_use]
    pub fn problems(&self, objects: &[Arc<Object>]) -> Vec<Diagnostic> {
        let objects: Vec<&Object> = objects.iter().map(|object| &**object).collect();
        let gateways = self.identities.gateways;
        let mut problems = analyze(&objects);
        problems.retain(|problem| {
            !(is_served_subset(problem) || gateways && is_missing_gateway(problem))
        });
        problems
    }
}

/// That no pod is the gateway that a Gateway object is for. A process that is every gateway is that one too.
fn is_missing_gateway(problem: &Diagnostic) -> bool {
    problem.code == codes::IST0101
        && problem.object.as_ref().is_some_and(|object| &*object.kind == "Gateway")
        && problem.path.as_ref().is_some_and(|path| path.as_str() == "spec.selector")
}

/// That a subset has no pods, when other endpoints have its labels. `analyze` says so because Istio does.
fn is_served_subset(problem: &Diagnostic) -> bool {
    problem.notes.iter().any(|note| note == SERVED_WITHOUT_PODS)
}

#[cfg(test)]
mod tests;
