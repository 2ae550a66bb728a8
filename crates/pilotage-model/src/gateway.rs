//! Gateways: which `Gateway` objects a gateway proxy serves.

pub mod merge;

use std::sync::Arc;

use pilotage_config::gateway::Gateway as Spec;
use pilotage_config::object::{Kind, Object};

pub use merge::{MergedGateway, MergedServer, ServerGroup};

use crate::age::Age;
use crate::labels::{Labels, selects};
use crate::origin::Origin;

/// A `Gateway` object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gateway {
    /// Its name.
    pub name: Arc<str>,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// When it was created.
    pub age: Age,
    /// What it says.
    pub spec: Arc<Spec>,
    /// The object.
    pub origin: Origin,
}

/// All `Gateway` objects, oldest first.
#[must_use]
pub fn build(objects: &[Arc<Object>]) -> Vec<Arc<Gateway>> {
    let mut all: Vec<_> = objects
        .iter()
        .filter_map(|object| {
            let Kind::Gateway(spec) = &object.body else { return None };
            Some(Arc::new(Gateway {
                name: object.name().into(),
                namespace: object.namespace().into(),
                age: Age::new(object.meta.creation_timestamp),
                spec: Arc::clone(spec),
                origin: Origin::of(object.reference()),
            }))
        })
        .collect();
    all.sort_by(|a, b| (a.age, &a.name, &a.namespace).cmp(&(b.age, &b.name, &b.namespace)));
    all
}

/// The objects that a gateway proxy with these labels serves; an object without selector is for all.
#[must_use]
pub fn serving(all: &[Arc<Gateway>], labels: &Labels) -> Vec<Arc<Gateway>> {
    all.iter().filter(|gateway| selects(&gateway.spec.selector, labels)).cloned().collect()
}
