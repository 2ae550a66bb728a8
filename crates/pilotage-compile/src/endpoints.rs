//! EDS: the endpoints of every cluster that waits for them, grouped by locality.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilotage_config::destination_rule::{ClientTlsMode, TrafficPolicy};
use pilotage_model::destination_rule::Policy;
use pilotage_model::endpoint::{Endpoint, EndpointAddress, Health};
use pilotage_model::labels::{Labels, selects};
use pilotage_model::service::Service;
use pilotage_model::{ProxyView, ServiceView};
use pilotage_proto::ResourceSet;
use pilotage_proto::envoy::config::cluster::v3::Cluster;
use pilotage_proto::envoy::config::cluster::v3::cluster::{ClusterDiscoveryType, DiscoveryType};
use pilotage_proto::envoy::config::core::v3::{HealthStatus, Locality, Metadata};
use pilotage_proto::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use pilotage_proto::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, Endpoint as Address, LbEndpoint, LocalityLbEndpoints,
};
use pilotage_proto::prost_types::value::Kind;
use pilotage_proto::prost_types::{Struct, Value};

use crate::address;
use crate::clusters;
use crate::clusters::names::Style;
use crate::locality::{Group, Preference};
use crate::previous::Kept;

/// Clients take nothing new to workloads with this label.
const DRAINING: &str = "istio.io/draining";
/// Services with one of these labels keep sessions on draining workloads.
const PERSISTENT: [&str; 2] = ["istio.io/persistent-session", "istio.io/persistent-session-header"];

/// Adds the endpoints of all clusters in `set` that wait for them.
pub(crate) fn add(view: &ProxyView, kept: Option<&Kept<'_>>, set: &mut ResourceSet) {
    if let Some(kept) = kept {
        set.endpoints.clone_from(&kept.resources.endpoints);
        kept.gone.iter().flat_map(|service| clusters::outbound::names(service)).for_each(|name| {
            set.endpoints.remove(&name);
        });
    }
    for service in &view.clusters {
        if kept.is_some_and(|kept| !kept.is_fresh(service)) {
            continue;
        }
        let host = service.service.host.as_str();
        for port in &service.service.ports {
            let subsets = service.rule.iter().flat_map(|rule| &rule.subsets);
            let subsets = subsets.map(|(subset, _)| subset.name.as_str());
            for subset in std::iter::once("").chain(subsets) {
                for style in [Style::Direct, Style::Sni] {
                    let name = style.outbound(port.number, subset, host);
                    if !set.clusters.get(&name).is_some_and(|cluster| is_eds(cluster)) {
                        continue;
                    }
                    let port = port.number;
                    let selection = Selection { view, service, port, subset, style };
                    let assignment = selection.assignment(name.clone());
                    set.endpoints.insert(name, Arc::new(assignment));
                }
            }
        }
    }
}

fn is_eds(cluster: &Cluster) -> bool {
    cluster.cluster_discovery_type == Some(ClusterDiscoveryType::Type(DiscoveryType::Eds as i32))
}

/// The policy for one port of a service or subset, the mesh's defaults filled in.
pub(crate) fn policy(view: &ProxyView, service: &ServiceView, port: u16, subset: &str) -> Policy {
    let rule = service.rule.as_deref();
    let defaults = view.mesh.config().default_traffic_policy.as_ref();
    match rule {
        Some(rule) => rule.policy_over(defaults, port, subset),
        None => Policy::effective(defaults, None, None, port),
    }
}

/// The endpoints of a port, whatever their state.
pub(crate) fn of_port(service: &ServiceView, port: u16) -> impl Iterator<Item = &Endpoint> {
    let name = service.service.port(port).map(|port| &port.name);
    service.endpoints.all.iter().filter(move |endpoint| Some(&endpoint.service_port_name) == name)
}

/// The endpoints behind one cluster: a port of a service or of a subset, as one client sees them.
#[derive(Clone, Copy)]
pub(crate) struct Selection<'a> {
    /// The client.
    pub(crate) view: &'a ProxyView,
    /// The service.
    pub(crate) service: &'a ServiceView,
    /// The port of the service.
    pub(crate) port: u16,
    /// The name of the subset; empty for the service as a whole.
    pub(crate) subset: &'a str,
    /// How the cluster is addressed.
    pub(crate) style: Style,
}

impl<'a> Selection<'a> {
    /// What is sent to a client that waits for endpoints.
    fn assignment(&self, cluster_name: String) -> ClusterLoadAssignment {
        // Defaults of the mesh say nothing about endpoints, as on Istio.
        let policy = self.service.rule.as_ref().map(|rule| rule.policy(self.port, self.subset));
        let policy = policy.unwrap_or_default();
        let preference = Preference::of(&policy, &self.service.service, &self.view.mesh);
        let detection = policy.outlier_detection.as_ref();
        let all_or_panic = detection.is_some_and(|detection| detection.min_health_percent > 0);
        let wanted = of_port(self.service, self.port).filter(|endpoint| {
            // Names are for clusters that resolve them.
            let is_address = !matches!(endpoint.address, EndpointAddress::Name(_));
            let is_unhealthy = endpoint.health == Health::Unhealthy;
            is_address && !(all_or_panic && is_unhealthy)
        });
        let endpoints = self.prioritized(self.grouped(wanted), &preference);
        ClusterLoadAssignment { cluster_name, endpoints, ..ClusterLoadAssignment::default() }
    }

    /// What a client resolves itself.
    pub(crate) fn resolved(&self, preference: &Preference<'_>) -> Vec<LocalityLbEndpoints> {
        let all = self.service.endpoints.all.iter();
        let wanted = all.filter(|endpoint| endpoint.service_port == Some(self.port));
        self.prioritized(self.grouped(wanted), preference)
    }

    /// The usable ones of the subset, grouped by locality.
    fn grouped(&self, wanted: impl Iterator<Item = &'a Endpoint>) -> Vec<Group<'a>> {
        let labels = subset_labels(self.service, self.subset);
        let mut groups = by_locality(wanted.filter(|endpoint| {
            is_usable(endpoint, self.view, self.service)
                && labels.is_none_or(|labels| selects(labels, &endpoint.workload.labels))
        }));
        if self.style == Style::Sni {
            // A gateway cannot tell whether what it passes on is mTLS, so plaintext endpoints are left out; the
            // groups stay.
            let tls = TlsOf::new(self);
            for group in &mut groups {
                group.endpoints.retain(|endpoint| tls.is_meshed(endpoint));
                let weights = group.endpoints.iter().map(|endpoint| endpoint.weight);
                group.weight = weights.fold(0, u32::saturating_add);
            }
        }
        groups
    }

    /// Groups as messages, with weights and priorities as the client sees them.
    fn prioritized(
        &self,
        mut groups: Vec<Group<'_>>,
        preference: &Preference<'_>,
    ) -> Vec<LocalityLbEndpoints> {
        preference.apply(&mut groups, self.view);
        let tls = TlsOf::new(self);
        let messages = groups.into_iter().map(|group| LocalityLbEndpoints {
            locality: Some(Locality {
                region: group.locality.region,
                zone: group.locality.zone,
                sub_zone: group.locality.sub_zone,
            }),
            lb_endpoints: group.endpoints.into_iter().map(|e| message(e, &tls)).collect(),
            load_balancing_weight: Some(group.weight).filter(|weight| *weight > 0),
            priority: group.priority,
            ..LocalityLbEndpoints::default()
        });
        messages.collect()
    }
}

/// The labels of a subset; none for the service as a whole.
fn subset_labels<'a>(service: &'a ServiceView, subset: &str) -> Option<&'a Labels> {
    let found = service.rule.as_ref()?.subset(subset).filter(|_| !subset.is_empty())?;
    Some(&found.labels)
}

fn is_usable(endpoint: &Endpoint, view: &ProxyView, service: &ServiceView) -> bool {
    let service = &service.service;
    if service.node_local && endpoint.workload.node != view.proxy.node {
        return false;
    }
    match endpoint.health {
        Health::Terminating => false,
        _ if is_draining(endpoint) => keeps_sessions(service),
        _ => true,
    }
}

/// Whether sessions go on with endpoints that take nothing new.
pub(crate) fn keeps_sessions(service: &Service) -> bool {
    PERSISTENT.iter().any(|key| service.labels.get(*key).is_some_and(|value| !value.is_empty()))
}

fn is_draining(endpoint: &Endpoint) -> bool {
    let label = endpoint.workload.labels.get(DRAINING);
    endpoint.health == Health::Draining || label.is_some_and(|value| !value.is_empty())
}

/// Groups in the order of localities as text.
pub(crate) fn by_locality<'a>(endpoints: impl Iterator<Item = &'a Endpoint>) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<(String, bool), Group<'a>> = BTreeMap::new();
    for endpoint in endpoints {
        let locality = &endpoint.workload.locality;
        // Istio spells localities of Kubernetes nodes with a slash at the end, so that other workloads of the same
        // place are a group of their own.
        let of_node = !locality.is_empty() && !endpoint.workload.node.is_empty();
        let key = (locality.to_string(), of_node);
        let group = groups.entry(key).or_insert_with(|| Group {
            locality: locality.clone(),
            priority: 0,
            weight: 0,
            endpoints: Vec::new(),
        });
        group.weight = group.weight.saturating_add(endpoint.weight);
        group.endpoints.push(endpoint);
    }
    groups.into_values().collect()
}

fn message(endpoint: &Endpoint, tls: &TlsOf) -> LbEndpoint {
    let address = match &endpoint.address {
        EndpointAddress::Path(path) => address::path(&**path),
        named => address::ip(named.to_string(), endpoint.port),
    };
    let address = Address { address: Some(address), ..Address::default() };
    LbEndpoint {
        host_identifier: Some(HostIdentifier::Endpoint(address)),
        health_status: status(endpoint) as i32,
        load_balancing_weight: Some(endpoint.weight),
        metadata: metadata(endpoint, tls),
    }
}

/// What clients are told of an endpoint's health.
pub(crate) fn status(endpoint: &Endpoint) -> HealthStatus {
    match endpoint.health {
        _ if is_draining(endpoint) => HealthStatus::Draining,
        Health::Healthy => HealthStatus::Unknown,
        Health::Unhealthy | Health::Draining | Health::Terminating => HealthStatus::Unhealthy,
    }
}

/// Names the workload, and says whether it takes the mesh's mTLS.
fn metadata(endpoint: &Endpoint, tls: &TlsOf) -> Option<Metadata> {
    let text = |value: String| Value { kind: Some(Kind::StringValue(value)) };
    let one = |key: &str, value| Struct { fields: [(key.to_owned(), text(value))].into() };
    let workload = &endpoint.workload;
    let mut metadata = Metadata::default();
    if !workload.name.is_empty() {
        let name = format!("{}/{}", workload.namespace, workload.name);
        metadata.filter_metadata.insert("pilotage".to_owned(), one("workload", name));
    }
    if tls.is_meshed(endpoint) {
        let mode = one("tlsMode", "istio".to_owned());
        metadata.filter_metadata.insert("envoy.transport_socket_match".to_owned(), mode);
    }
    (!metadata.filter_metadata.is_empty()).then_some(metadata)
}

/// What a rule says of TLS towards a port, as far as endpoints are marked by it.
struct TlsOf {
    mode: Option<ClientTlsMode>,
}

impl TlsOf {
    /// Unlike for clusters, an entry for the port that says nothing of TLS does not hide the policy around it.
    fn new(of: &Selection<'_>) -> Self {
        let mode = |policy: &TrafficPolicy| {
            let mut entries = policy.port_level_settings.iter().filter(|entry| {
                entry.port.as_ref().is_some_and(|wanted| wanted.number == u32::from(of.port))
            });
            let of_port = entries.find_map(|entry| entry.tls.as_ref());
            of_port.or(policy.tls.as_ref()).map(|tls| tls.mode)
        };
        let rule = of.service.rule.as_deref();
        let subset = rule.and_then(|rule| rule.subset(of.subset)?.traffic_policy.as_ref());
        let rule = rule.and_then(|rule| rule.traffic_policy.as_deref());
        Self { mode: subset.and_then(mode).or_else(|| rule.and_then(mode)) }
    }

    /// Whether the endpoint is marked as one that takes the mesh's mTLS.
    fn is_meshed(&self, endpoint: &Endpoint) -> bool {
        let enabled = match self.mode {
            Some(mode) => mode == ClientTlsMode::IstioMutual,
            None => !endpoint.plaintext_only,
        };
        enabled && endpoint.workload.mesh_tls
    }
}
