//! All configuration at one moment, names resolved: the result of [`build`], from which views are taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilotage_config::Diagnostic;
use pilotage_config::mesh::MeshConfig;
use pilotage_config::object::{Kind, Object};
use pilotage_config::selector::{LabelSelector, LabelSelectorRequirement};

use crate::analysis;
use crate::destination_rule::DestinationRules;
use crate::gateway::{self, Gateway};
use crate::labels::{Labels, selects};
use crate::mesh::Mesh;
use crate::peer_authentication::PeerAuthentications;
use crate::registry::Registry;
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
    pub registry: Registry,
    /// All destination rules.
    pub destination_rules: DestinationRules,
    /// The virtual services that can be used on their own, oldest first.
    pub virtual_services: Vec<Arc<VirtualService>>,
    /// The `Gateway` objects, oldest first.
    pub gateways: Vec<Arc<Gateway>>,
    /// The `Sidecar` objects.
    pub sidecars: Sidecars,
    /// What workloads accept.
    pub peer_authentications: PeerAuthentications,
    /// Pods and `WorkloadEntry` objects.
    pub workloads: Workloads,
    /// The objects themselves, without those of namespaces that are not looked at.
    pub objects: Vec<Arc<Object>>,
}

/// Builds the snapshot, and reports what only several objects together show to be wrong.
#[must_use]
pub fn build(inputs: &Inputs) -> (Arc<Snapshot>, Vec<Diagnostic>) {
    let mesh = Arc::new(Mesh::new(inputs.mesh.clone()));
    let objects = discovered(&inputs.objects, &mesh);
    let workloads = Workloads::build(&objects, &mesh);
    let root = mesh.root_namespace();
    let peer_authentications =
        PeerAuthentications::build(objects.iter().map(|object| &**object), root);
    let snapshot = Snapshot {
        registry: Registry::build(&objects, &workloads, &peer_authentications, &mesh),
        destination_rules: DestinationRules::build(&objects, &mesh),
        virtual_services: virtual_service::build(&objects, &mesh),
        gateways: gateway::build(&objects),
        sidecars: Sidecars::build(&objects, root),
        peer_authentications,
        workloads,
        objects,
        mesh,
    };
    let objects: Vec<&Object> = inputs.objects.iter().map(|object| &**object).collect();
    (Arc::new(snapshot), analysis::analyze(&objects))
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
        selectors.iter().any(|selector| selects_namespace(selector, labels))
    };
    let objects = objects.iter().filter(|object| {
        let namespace = object.namespace();
        namespace.is_empty() || namespace == mesh.root_namespace() || selected(namespace)
    });
    objects.cloned().collect()
}

/// Whether labels satisfy a Kubernetes selector.
#[must_use]
pub fn selects_namespace(selector: &LabelSelector, labels: &Labels) -> bool {
    let holds = |condition: &LabelSelectorRequirement| {
        let value = labels.get(&condition.key);
        let among = value.is_some_and(|value| condition.values.contains(value));
        match condition.operator.as_str() {
            "In" => among,
            "NotIn" => !among,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            // Unknown operators select nothing, as in Kubernetes, which rejects them.
            _ => false,
        }
    };
    selects(&selector.match_labels, labels) && selector.match_expressions.iter().all(holds)
}
