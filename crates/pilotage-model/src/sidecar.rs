//! What a sidecar sees: which services and virtual services its egress listeners import.

pub mod scope;

use std::collections::BTreeMap;
use std::sync::Arc;

use pilotage_config::object::{Kind, Object};
use pilotage_config::sidecar::Sidecar as Spec;

pub use scope::{EgressListener, Scope};

use crate::age::Age;
use crate::labels::{Labels, selects};
use crate::origin::Origin;

/// A `Sidecar` object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sidecar {
    /// What it says.
    pub spec: Arc<Spec>,
    /// The object.
    pub origin: Origin,
}

/// All `Sidecar` objects by namespace, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sidecars {
    by_namespace: BTreeMap<Arc<str>, Vec<Arc<Sidecar>>>,
    root_namespace: Arc<str>,
}

impl Sidecars {
    /// Collects the objects.
    #[must_use]
    pub fn build(objects: &[Arc<Object>], root_namespace: &str) -> Self {
        let mut found: Vec<_> = objects
            .iter()
            .filter_map(|object| match &object.body {
                Kind::Sidecar(spec) => Some((object, spec)),
                _ => None,
            })
            .collect();
        found.sort_by_key(|(object, _)| {
            (Age::new(object.meta.creation_timestamp), object.name(), object.namespace())
        });
        let mut all = Self { root_namespace: root_namespace.into(), ..Self::default() };
        for (object, spec) in found {
            let sidecar =
                Sidecar { spec: Arc::clone(spec), origin: Origin::of(object.reference()) };
            let namespace = all.by_namespace.entry(object.namespace().into()).or_default();
            namespace.push(Arc::new(sidecar));
        }
        all
    }

    /// The object for a workload: one that selects it, else one for its whole namespace, else one of the root
    /// namespace for all; of several the oldest.
    #[must_use]
    pub fn of(&self, namespace: &str, labels: &Labels) -> Option<&Arc<Sidecar>> {
        let own = self.by_namespace.get(namespace).map(Vec::as_slice).unwrap_or_default();
        let selecting = own
            .iter()
            .find(|sidecar| selector(sidecar).is_some_and(|selector| selects(selector, labels)));
        let for_all = |sidecar: &&Arc<Sidecar>| selector(sidecar).is_none();
        selecting
            .or_else(|| own.iter().find(for_all))
            .or_else(|| self.by_namespace.get(&self.root_namespace)?.iter().find(for_all))
    }
}

/// The labels a `Sidecar` asks for; an empty selector is none.
fn selector(sidecar: &Sidecar) -> Option<&Labels> {
    let selector = sidecar.spec.workload_selector.as_ref()?;
    Some(&selector.labels)
}

#[cfg(test)]
mod tests;
