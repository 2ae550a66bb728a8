//! Limits that the mesh sets on the visibility of `ServiceEntry` objects (`serviceEntryVisibility`).

use std::collections::BTreeMap;
use std::sync::Arc;

use pilotage_config::mesh::{ServiceEntryVisibility, Visibility as Limit, VisibilityRule};
use pilotage_config::object::{Kind, Object};

use super::Visibility;
use crate::labels::{Labels, satisfy};
use crate::mesh::Mesh;

/// The limits of a mesh.
#[derive(Debug)]
pub struct Limits<'a> {
    settings: Option<&'a ServiceEntryVisibility>,
    namespaces: BTreeMap<&'a str, &'a Labels>,
}

impl<'a> Limits<'a> {
    /// The limits as far as they hold for sidecars and gateways, for which they have to be switched on.
    #[must_use]
    pub fn new(objects: &'a [Arc<Object>], mesh: &'a Mesh) -> Self {
        let settings = mesh.config().service_entry_visibility.as_ref();
        let namespaces = objects
            .iter()
            .filter(|object| matches!(object.body, Kind::Namespace(_)))
            .map(|object| (object.name(), &object.meta.labels));
        Self {
            settings: settings.filter(|settings| settings.apply_to_sidecars == Some(true)),
            namespaces: namespaces.collect(),
        }
    }

    /// The limit for an object: that of the first policy that matches, else the default.
    #[must_use]
    pub fn of(&self, object: &Object) -> Limit {
        let Some(settings) = self.settings else { return Limit::Unspecified };
        let none = Labels::new();
        let namespace = self.namespaces.get(object.namespace()).copied().unwrap_or(&none);
        let holds = |rule: &VisibilityRule| {
            let of_namespace = rule.namespace_selector.as_ref();
            let own = rule.selector.as_ref();
            of_namespace.is_none_or(|selector| satisfy(namespace, selector))
                && own.is_none_or(|selector| satisfy(&object.meta.labels, selector))
        };
        let policy =
            settings.policies.iter().find(|policy| policy.matching_rules.iter().any(holds));
        policy.map_or(settings.default_visibility, |policy| policy.visibility)
    }
}

/// The visibility within a limit. A limit narrows and never widens.
#[must_use]
pub fn limit(visibility: Visibility, limit: Limit, namespace: &str) -> Visibility {
    match limit {
        Limit::Unspecified | Limit::Public => visibility,
        Limit::Namespace => visibility.capped(namespace),
        Limit::None => Visibility::None,
    }
}
