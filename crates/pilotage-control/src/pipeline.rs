//! From objects to what each proxy is given: the pure crates in a row, and a memory of what they said before.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilotage_config::mesh::MeshConfig;
use pilotage_config::{Diagnostic, Object, codes};
use pilotage_model::analysis::subsets::SERVED_WITHOUT_PODS;
use pilotage_model::{Inputs, ProxyView, build, view};
use pilotage_proto::ResourceSet;

use crate::identities::{Identities, ProxyId};

/// What came of all objects.
#[derive(Debug, Default)]
pub struct Compiled {
    /// What each proxy is given.
    pub proxies: BTreeMap<ProxyId, Arc<ResourceSet>>,
    /// What only several objects together show to be wrong.
    pub problems: Vec<Diagnostic>,
}

/// Compiles objects for all proxies of a process.
#[derive(Debug)]
pub struct Pipeline {
    identities: Identities,
    /// The last answer for each proxy. Equal views compile to equal resources.
    last: BTreeMap<ProxyId, (Arc<ProxyView>, Arc<ResourceSet>)>,
}

impl Pipeline {
    /// A pipeline for these proxies.
    #[must_use]
    pub fn new(identities: Identities) -> Self {
        Self { identities, last: BTreeMap::new() }
    }

    /// Compiles all objects.
    pub fn compile(&mut self, objects: &[Arc<Object>], mesh: &MeshConfig) -> Compiled {
        let inputs = Inputs { objects: objects.to_vec(), mesh: mesh.clone() };
        let (snapshot, mut problems) = build(&inputs);
        let gateways = self.identities.gateways;
        problems.retain(|problem| {
            !(is_served_subset(problem) || gateways && is_missing_gateway(problem))
        });
        let mut last = BTreeMap::new();
        for (id, class) in self.identities.proxies(&snapshot) {
            let view = view(&snapshot, &class);
            let known = self.last.get(&id);
            let resources = match known {
                Some((known, resources)) if *known == view => Arc::clone(resources),
                Some((_, before)) => Arc::new(shared(before, pilotage_compile::resources(&view))),
                None => Arc::new(pilotage_compile::resources(&view)),
            };
            last.insert(id, (view, resources));
        }
        self.last = last;
        let proxies =
            self.last.iter().map(|(id, (_, set))| (id.clone(), Arc::clone(set))).collect();
        Compiled { proxies, problems }
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

/// `now`, where what did not change is the very same as `before`, so that proxies see at once that it is.
fn shared(before: &ResourceSet, mut now: ResourceSet) -> ResourceSet {
    share(&before.listeners, &mut now.listeners);
    share(&before.routes, &mut now.routes);
    share(&before.clusters, &mut now.clusters);
    share(&before.endpoints, &mut now.endpoints);
    share(&before.secrets, &mut now.secrets);
    if before.names == now.names {
        now.names = Arc::clone(&before.names);
    }
    now
}

fn share<T: PartialEq>(before: &BTreeMap<String, Arc<T>>, now: &mut BTreeMap<String, Arc<T>>) {
    for (name, resource) in now {
        if let Some(old) = before.get(name)
            && old == resource
        {
            *resource = Arc::clone(old);
        }
    }
}
