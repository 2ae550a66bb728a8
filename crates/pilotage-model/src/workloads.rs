//! What runs: Pods and `WorkloadEntry` objects, found by label, by name and by address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use pilotage_config::kubernetes::Pod;
use pilotage_config::mesh::InterceptionMode;
use pilotage_config::object::{Kind, Object};
use pilotage_config::workload_entry::WorkloadEntry;

use crate::endpoint::{EndpointAddress, Workload};
use crate::labels::{Labels, selects};
use crate::locality::Locality;
use crate::mesh::Mesh;

const REGION: &str = "topology.kubernetes.io/region";
const ZONE: &str = "topology.kubernetes.io/zone";
const SUB_ZONE: &str = "topology.istio.io/subzone";
const OLD_REGION: &str = "failure-domain.beta.kubernetes.io/region";
const OLD_ZONE: &str = "failure-domain.beta.kubernetes.io/zone";
const CLUSTER: &str = "topology.istio.io/cluster";
const NETWORK: &str = "topology.istio.io/network";
const HOST_NAME: &str = "kubernetes.io/hostname";
const TLS_MODE: &str = "security.istio.io/tlsMode";
const ISTIO_LOCALITY: &str = "istio-locality";
const TOPOLOGY_LOCALITY: &str = "topology.istio.io/locality";
const INTERCEPTION: &str = "sidecar.istio.io/interceptionMode";
/// The only cluster there is, by the name Istio gives it.
const CLUSTER_NAME: &str = "Kubernetes";

/// A Pod or `WorkloadEntry` that can be an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Where it is reached.
    pub address: EndpointAddress,
    /// All its addresses.
    pub addresses: Vec<IpAddr>,
    /// What it is.
    pub workload: Arc<Workload>,
    /// The labels that were written, which selectors look at.
    pub labels: Labels,
    /// Its ports by name: container ports, or `ports` of a `WorkloadEntry`.
    pub ports: BTreeMap<String, u16>,
    /// The names of container ports that state their transport protocol, as all do in an API server.
    pub stated_ports: BTreeSet<String>,
    /// Its weight, at least 1.
    pub weight: u32,
    /// Whether it is a Pod.
    pub is_pod: bool,
    /// Whether it takes requests.
    pub ready: bool,
    /// How traffic gets to its proxy, when it says.
    pub interception: Option<InterceptionMode>,
    /// Its service account.
    pub service_account: Arc<str>,
}

/// All instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workloads {
    instances: Vec<Arc<Instance>>,
    by_namespace: BTreeMap<Arc<str>, OfNamespace>,
    pods: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Arc<Instance>>>,
    by_address: BTreeMap<IpAddr, Vec<Arc<Instance>>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct OfNamespace {
    all: Vec<Arc<Instance>>,
    by_label: BTreeMap<(String, String), Vec<Arc<Instance>>>,
}

impl Workloads {
    /// Collects Pods with an address and `WorkloadEntry` objects, in the order of `objects`.
    #[must_use]
    pub fn build(objects: &[Arc<Object>], mesh: &Mesh) -> Self {
        let nodes: BTreeMap<&str, Locality> = objects
            .iter()
            .filter(|object| matches!(object.body, Kind::Node(_)))
            .map(|object| (object.name(), of_node(&object.meta.labels)))
            .collect();
        let mut all = Self::default();
        for object in objects {
            let instance = match &object.body {
                Kind::Pod(pod) => of_pod(object, pod, &nodes, mesh),
                Kind::WorkloadEntry(entry) => Some(of_entry(object, entry, mesh)),
                _ => None,
            };
            if let Some(instance) = instance {
                all.add(Arc::new(instance));
            }
        }
        all
    }

    fn add(&mut self, instance: Arc<Instance>) {
        let namespace = Arc::clone(&instance.workload.namespace);
        let of_namespace = self.by_namespace.entry(Arc::clone(&namespace)).or_default();
        of_namespace.all.push(Arc::clone(&instance));
        for (key, value) in &instance.labels {
            let label = (key.clone(), value.clone());
            of_namespace.by_label.entry(label).or_default().push(Arc::clone(&instance));
        }
        for address in &instance.addresses {
            self.by_address.entry(*address).or_default().push(Arc::clone(&instance));
        }
        if instance.is_pod {
            let pods = self.pods.entry(namespace).or_default();
            pods.insert(Arc::clone(&instance.workload.name), Arc::clone(&instance));
        }
        self.instances.push(instance);
    }

    /// All instances of `namespace`.
    pub fn of_namespace(&self, namespace: &str) -> impl Iterator<Item = &Arc<Instance>> {
        self.by_namespace.get(namespace).into_iter().flat_map(|of_namespace| &of_namespace.all)
    }

    /// The instances of `namespace` that have all labels of a selector; none for an empty selector.
    pub fn selected<'a>(
        &'a self,
        namespace: &str,
        selector: &'a Labels,
    ) -> impl Iterator<Item = &'a Arc<Instance>> {
        let of_namespace = self.by_namespace.get(namespace);
        // The rarest label narrows the search most.
        let candidates = of_namespace.and_then(|of_namespace| {
            let lists = selector.iter().map(|(key, value)| {
                let label = (key.clone(), value.clone());
                of_namespace.by_label.get(&label).map(Vec::as_slice).unwrap_or_default()
            });
            lists.min_by_key(|list| list.len())
        });
        let candidates = candidates.unwrap_or_default().iter();
        candidates.filter(move |instance| selects(selector, &instance.labels))
    }

    /// The Pod of this name.
    #[must_use]
    pub fn pod(&self, namespace: &str, name: &str) -> Option<&Arc<Instance>> {
        self.pods.get(namespace)?.get(name)
    }

    /// The Pod or `WorkloadEntry` with this address: Pods first, those of `namespace` before others.
    #[must_use]
    pub fn at(&self, address: IpAddr, namespace: &str) -> Option<&Arc<Instance>> {
        let here = self.by_address.get(&address)?;
        here.iter()
            .min_by_key(|instance| (&*instance.workload.namespace != namespace, !instance.is_pod))
    }

    /// The Pod with this address.
    #[must_use]
    pub fn pod_at(&self, address: IpAddr) -> Option<&Arc<Instance>> {
        self.by_address.get(&address)?.iter().find(|instance| instance.is_pod)
    }
}

fn of_node(labels: &Labels) -> Locality {
    let label = |key: &str| labels.get(key).cloned().filter(|text| !text.is_empty());
    Locality {
        region: label(REGION).or_else(|| label(OLD_REGION)).unwrap_or_default(),
        zone: label(ZONE).or_else(|| label(OLD_ZONE)).unwrap_or_default(),
        sub_zone: label(SUB_ZONE).unwrap_or_default(),
    }
}

/// The locality that labels of a workload give.
#[must_use]
pub fn labelled_locality(labels: &Labels) -> Option<Locality> {
    let label = |key: &str| labels.get(key).filter(|text| !text.is_empty());
    let text = label(TOPOLOGY_LOCALITY).or_else(|| label(ISTIO_LOCALITY))?;
    Some(Locality::parse_label(text))
}

fn of_pod(
    object: &Object,
    pod: &Pod,
    nodes: &BTreeMap<&str, Locality>,
    mesh: &Mesh,
) -> Option<Instance> {
    if matches!(pod.status.phase.as_str(), "Succeeded" | "Failed") {
        return None;
    }
    let address: IpAddr = pod.status.pod_ip.parse().ok()?;
    let labels = &object.meta.labels;
    let node = pod.spec.node_name.as_str();
    let locality =
        labelled_locality(labels).or_else(|| nodes.get(node).cloned()).unwrap_or_default();
    let mut addresses = vec![address];
    for ip in pod.status.pod_ips.iter().filter_map(|ip| ip.ip.parse().ok()) {
        if !addresses.contains(&ip) {
            addresses.push(ip);
        }
    }
    let written = [&pod.spec.service_account_name, &pod.spec.service_account];
    let account = written.into_iter().find(|name| !name.is_empty());
    let account = account.map_or("default", String::as_str);
    let ready = pod.status.conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True");
    let containers = pod.spec.containers.iter().chain(&pod.spec.init_containers);
    let ports = containers.flat_map(|container| &container.ports);
    let named = ports.filter(|port| !port.name.is_empty());
    let stated = named.clone().filter(|port| !port.protocol.is_empty());
    let ports = named
        .filter_map(|port| Some((port.name.clone(), u16::try_from(port.container_port).ok()?)));
    Some(Instance {
        address: EndpointAddress::Ip(address),
        addresses,
        workload: Arc::new(Workload {
            name: object.name().into(),
            namespace: object.namespace().into(),
            labels: augmented(labels, &locality, node, ""),
            locality,
            identity: mesh.identity(object.namespace(), account).into(),
            mesh_tls: labels.get(TLS_MODE).is_some_and(|mode| mode == "istio"),
            node: node.into(),
            network: labels.get(NETWORK).map(String::as_str).unwrap_or_default().into(),
            host_name: host_name(pod).into(),
        }),
        labels: labels.clone(),
        ports: ports.collect(),
        stated_ports: stated.map(|port| port.name.clone()).collect(),
        weight: 1,
        is_pod: true,
        ready: ready && object.meta.deletion_timestamp.is_none(),
        interception: object.meta.annotations.get(INTERCEPTION).and_then(|mode| {
            match mode.as_str() {
                "REDIRECT" => Some(InterceptionMode::Redirect),
                "TPROXY" => Some(InterceptionMode::Tproxy),
                "NONE" => Some(InterceptionMode::None),
                _ => None,
            }
        }),
        service_account: account.into(),
    })
}

/// A Pod is listed by name only with a subdomain, which names the headless service.
fn host_name(pod: &Pod) -> &str {
    if pod.spec.subdomain.is_empty() { "" } else { &pod.spec.hostname }
}

fn of_entry(object: &Object, entry: &WorkloadEntry, mesh: &Mesh) -> Instance {
    let mut labels = object.meta.labels.clone();
    labels.extend(entry.labels.clone());
    let address = EndpointAddress::parse(&entry.address);
    Instance {
        addresses: address.ip().into_iter().collect(),
        address,
        workload: Arc::new(described(entry, &labels, object.name(), object.namespace(), mesh)),
        ports: ports(entry),
        stated_ports: BTreeSet::new(),
        labels,
        weight: entry.weight.max(1),
        is_pod: false,
        ready: true,
        interception: None,
        service_account: entry.service_account.as_str().into(),
    }
}

/// The ports of a `WorkloadEntry` or inline endpoint; 0 counts as absent.
#[must_use]
pub fn ports(entry: &WorkloadEntry) -> BTreeMap<String, u16> {
    let ports = entry.ports.iter();
    ports
        .filter_map(|(name, port)| Some((name.clone(), u16::try_from(*port).ok()?)))
        .filter(|(_, port)| *port > 0)
        .collect()
}

/// What is known of the workload that `entry` describes, with these labels.
#[must_use]
pub fn described(
    entry: &WorkloadEntry,
    labels: &Labels,
    name: &str,
    namespace: &str,
    mesh: &Mesh,
) -> Workload {
    let locality = if entry.locality.is_empty() {
        // Of the labels that say where Pods are only this one counts here.
        let label = labels.get(ISTIO_LOCALITY).map(String::as_str);
        label.map(Locality::parse_label).unwrap_or_default()
    } else {
        Locality::parse(&entry.locality)
    };
    let account = entry.service_account.as_str();
    let identity =
        if account.is_empty() { String::new() } else { mesh.identity(namespace, account) };
    Workload {
        name: name.into(),
        namespace: namespace.into(),
        labels: augmented(labels, &locality, "", &entry.network),
        locality,
        identity: identity.into(),
        mesh_tls: labels.get(TLS_MODE).map_or(!account.is_empty(), |mode| mode == "istio"),
        node: "".into(),
        network: entry.network.as_str().into(),
        host_name: "".into(),
    }
}

/// Labels completed with those of the place, as subsets and failover priorities see them.
#[must_use]
pub fn augmented(labels: &Labels, locality: &Locality, node: &str, network: &str) -> Labels {
    let mut labels = labels.clone();
    let mut set = |key: &str, value: &str| {
        if !value.is_empty() {
            labels.insert(key.to_owned(), value.to_owned());
        }
    };
    set(REGION, &locality.region);
    set(ZONE, &locality.zone);
    set(SUB_ZONE, &locality.sub_zone);
    set(CLUSTER, CLUSTER_NAME);
    set(HOST_NAME, node);
    set(NETWORK, network);
    labels
}
