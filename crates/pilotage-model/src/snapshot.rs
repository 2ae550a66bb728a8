//! All configuration at one moment, names resolved: the result of [`build`], from which views are taken.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilotage_config::Diagnostic;
use pilotage_config::mesh::MeshConfig;
use pilotage_config::object::{Kind, KindName, Object};

use crate::analysis;
use crate::destination_rule::DestinationRules;
use crate::gateway::{self, Gateway};
use crate::labels::{Labels, satisfy};
use crate::mesh::Mesh;
use crate::peer_authentication::PeerAuthentications;
use crate::registry::{self, Registry, Surroundings};
use crate::sidecar::Sidecars;
use crate::virtual_service::{self, VirtualService};
use crate::workloads::Workloads;

/// All that the model is made of.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The objects, in the order of the files. They are taken as checked: what validation rejects is not here.
    pub objects: Vec<Arc<Object>>,
    /// The settings of the mesh, as written.
    pub mesh: MeshConfig,
}

/// All configuration at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The settings of the mesh.
    pub mesh: Arc<Mesh>,
    /// All services with their endpoints.
    pub registry: Arc<Registry>,
    /// All destination rules.
    pub destination_rules: Arc<DestinationRules>,
    /// The virtual services that can be used on their own, oldest first.
    pub virtual_services: Arc<[Arc<VirtualService>]>,
    /// The `Gateway` objects, oldest first.
    pub gateways: Arc<[Arc<Gateway>]>,
    /// The `Sidecar` objects.
    pub sidecars: Arc<Sidecars>,
    /// What workloads accept.
    pub peer_authentications: Arc<PeerAuthentications>,
    /// Pods and `WorkloadEntry` objects.
    pub workloads: Arc<Workloads>,
    /// The objects themselves, without those of namespaces that are not looked at.
    pub objects: Vec<Arc<Object>>,
}

/// Builds the snapshot, and reports what only several objects together show to be wrong.
#[must_use]
pub fn build(inputs: &Inputs) -> (Arc<Snapshot>, Vec<Diagnostic>) {
    let snapshot = build_after(None, &inputs.objects, &inputs.mesh);
    let objects: Vec<&Object> = inputs.objects.iter().map(|object| &**object).collect();
    (snapshot, analysis::analyze(&objects))
}

/// The snapshot of these objects, like that of [`build`]. What cannot differ from `previous` is shared with it.
#[must_use]
pub fn build_after(
    previous: Option<&Snapshot>,
    objects: &[Arc<Object>],
    mesh: &MeshConfig,
) -> Arc<Snapshot> {
    let mesh = shared(previous.map(|previous| &previous.mesh), Mesh::new(mesh.clone()));
    let objects = discovered(objects, &mesh);
    let kept = Kept::between(previous, &objects, &mesh);
    let workloads = kept.or(
        &[KindName::Pod, KindName::WorkloadEntry, KindName::Node],
        |before| &before.workloads,
        || Arc::new(Workloads::build(&objects, &mesh)),
    );
    let root = mesh.root_namespace();
    let peer_authentications = kept.or(
        &[KindName::PeerAuthentication],
        |before| &before.peer_authentications,
        || {
            let all = objects.iter().map(|object| &**object);
            Arc::new(PeerAuthentications::build(all, root))
        },
    );
    let registry = kept.or(
        &registry::KINDS,
        |before| &before.registry,
        || {
            let before = kept.previous.map(|previous| &*previous.registry);
            let around = Surroundings {
                workloads: &workloads,
                policies: &peer_authentications,
                mesh: &mesh,
            };
            let in_place = kept.previous.is_some_and(|previous| {
                Arc::ptr_eq(&previous.workloads, &workloads)
                    && Arc::ptr_eq(&previous.peer_authentications, &peer_authentications)
            });
            Arc::new(Registry::build(&objects, around, before, in_place))
        },
    );
    Arc::new(Snapshot {
        registry,
        destination_rules: kept.or(
            &[KindName::DestinationRule],
            |before| &before.destination_rules,
            || Arc::new(DestinationRules::build(&objects, &mesh)),
        ),
        virtual_services: kept.or(
            &[KindName::VirtualService],
            |before| &before.virtual_services,
            || {
                let before = kept.previous.map(|previous| &*previous.virtual_services);
                virtual_service::build(&objects, &mesh, before.unwrap_or_default()).into()
            },
        ),
        gateways: kept.or(
            &[KindName::Gateway],
            |before| &before.gateways,
            || gateway::build(&objects).into(),
        ),
        sidecars: kept.or(
            &[KindName::Sidecar],
            |before| &before.sidecars,
            || Arc::new(Sidecars::build(&objects, root)),
        ),
        peer_authentications,
        workloads,
        objects,
        mesh,
    })
}

/// `now`, or the equal one that was there before.
fn shared<T: PartialEq>(before: Option<&Arc<T>>, now: T) -> Arc<T> {
    before.filter(|before| ***before == now).map_or_else(|| Arc::new(now), Arc::clone)
}

/// What of the previous snapshot still holds.
struct Kept<'a> {
    /// The previous snapshot, unless the settings of the mesh changed, on which everything depends.
    previous: Option<&'a Snapshot>,
    /// The kinds of which an object came, went or changed.
    changed: BTreeSet<KindName>,
}

impl<'a> Kept<'a> {
    fn between(previous: Option<&'a Snapshot>, objects: &[Arc<Object>], mesh: &Mesh) -> Self {
        let previous = previous.filter(|previous| *previous.mesh == *mesh);
        let before = previous.map(|previous| previous.objects.as_slice()).unwrap_or_default();
        Self { previous, changed: changed_kinds(before, objects) }
    }

    /// A part that is made of objects of some kinds alone: the previous one if none of these changed.
    fn or<T: Clone + 'a>(
        &self,
        kinds: &[KindName],
        part: impl FnOnce(&'a Snapshot) -> &'a T,
        build: impl FnOnce() -> T,
    ) -> T {
        match self.previous {
            Some(previous) if kinds.iter().all(|kind| !self.changed.contains(kind)) => {
                part(previous).clone()
            }
            _ => build(),
        }
    }
}

/// The kinds whose objects are not the same in both lists, each in its order.
fn changed_kinds(before: &[Arc<Object>], after: &[Arc<Object>]) -> BTreeSet<KindName> {
    let pairs = || before.iter().zip(after);
    if before.len() == after.len() {
        let differing = pairs().filter(|(a, b)| !same(a, b));
        return differing.flat_map(|(a, b)| [a.kind, b.kind]).collect();
    }
    // What came or went stands between what is the same at both ends.
    let start = pairs().take_while(|(a, b)| same(a, b)).count();
    let rest = |all: &'_ [Arc<Object>]| all.len() - start;
    let from_end = before.iter().rev().zip(after.iter().rev());
    let end = from_end.take(rest(before).min(rest(after))).take_while(|(a, b)| same(a, b)).count();
    let middle = |all: &[Arc<Object>]| -> BTreeSet<KindName> {
        let middle = all.get(start..all.len() - end).unwrap_or_default();
        middle.iter().map(|object| object.kind).collect()
    };
    &middle(before) | &middle(after)
}

/// Whether two objects say the same. Where they were written does not count.
fn same(a: &Arc<Object>, b: &Arc<Object>) -> bool {
    Arc::ptr_eq(a, b) || a.body == b.body && a.meta == b.meta
}

/// The objects of namespaces that `discoverySelectors` select, and those without a namespace. The root namespace
/// is always looked at.
fn discovered(objects: &[Arc<Object>], mesh: &Mesh) -> Vec<Arc<Object>> {
    let selectors = &mesh.config().discovery_selectors;
    if selectors.is_empty() {
        return objects.to_vec();
    }
    let labels: BTreeMap<&str, &Labels> = objects
        .iter()
        .filter(|object| matches!(object.body, Kind::Namespace(_)))
        .map(|object| (object.name(), &object.meta.labels))
        .collect();
    let none = Labels::new();
    let selected = |namespace: &str| {
        let labels = labels.get(namespace).copied().unwrap_or(&none);
        selectors.iter().any(|selector| satisfy(labels, selector))
    };
    let objects = objects.iter().filter(|object| {
        let namespace = object.namespace();
        namespace.is_empty() || namespace == mesh.root_namespace() || selected(namespace)
    });
    objects.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(names: &[(&str, &str)]) -> Vec<Arc<Object>> {
        let text = |(kind, name): &(&str, &str)| {
            let (group, spec) = match *kind {
                "Pod" => ("v1", "status: {podIP: 10.0.0.1}"),
                "Gateway" => (
                    "networking.istio.io/v1",
                    "spec: {servers: [{port: {number: 80, name: a, protocol: HTTP}, hosts: ['*']}]}",
                ),
                _ => ("v1", "spec: {ports: [{port: 80}]}"),
            };
            format!("apiVersion: {group}\nkind: {kind}\nmetadata: {{name: {name}}}\n{spec}\n---\n")
        };
        let text: String = names.iter().map(text).collect();
        let loaded = pilotage_config::load("a.yaml", &text);
        assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
        loaded.objects.into_iter().map(Arc::new).collect()
    }

    #[test]
    fn a_kind_changed_when_its_objects_or_their_order_did() {
        let before = objects(&[("Pod", "a"), ("Service", "a"), ("Gateway", "a"), ("Pod", "b")]);
        let changed = |after: &[(&str, &str)]| -> Vec<KindName> {
            changed_kinds(&before, &objects(after)).into_iter().collect()
        };
        let (a, b) = (("Pod", "a"), ("Pod", "b"));
        let (service, gateway) = (("Service", "a"), ("Gateway", "a"));
        assert_eq!(changed(&[a, service, gateway, b]), []);
        assert_eq!(changed(&[b, service, gateway, a]), [KindName::Pod]);
        assert_eq!(changed(&[a, service, b]), [KindName::Gateway]);
        assert_eq!(changed(&[a, service, gateway, gateway, b]), [KindName::Gateway]);
        assert_eq!(changed(&[a, service, gateway]), [KindName::Pod]);
        assert_eq!(changed(&[a, a, a, a]), [KindName::Gateway, KindName::Service, KindName::Pod]);
        assert_eq!(changed_kinds(&before, &[]).len(), 3);
    }

    #[test]
    fn what_no_change_concerns_is_shared() {
        let mesh = MeshConfig::default();
        let before = objects(&[("Pod", "a"), ("Service", "a")]);
        let first = build_after(None, &before, &mesh);
        let mut after = before.clone();
        after.extend(objects(&[("Gateway", "a")]));
        let second = build_after(Some(&first), &after, &mesh);
        assert!(Arc::ptr_eq(&first.registry, &second.registry));
        assert!(Arc::ptr_eq(&first.workloads, &second.workloads));
        assert_eq!(second.gateways.len(), 1);
        let other = MeshConfig { root_namespace: "root".into(), ..mesh };
        let third = build_after(Some(&second), &after, &other);
        assert!(!Arc::ptr_eq(&first.registry, &third.registry));
    }
}
