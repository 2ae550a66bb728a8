//! Kubernetes services.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilotage_config::kubernetes::IntOrString;
use pilotage_config::kubernetes::service as written;
use pilotage_config::object::Object;

use super::{
    Alias, Registry, Resolution, Service, ServiceAddress, ServicePort, TargetPort,
    TrafficDistribution,
};
use crate::age::Age;
use crate::host::Host;
use crate::mesh::Mesh;
use crate::origin::Origin;
use crate::protocol::Protocol;
use crate::visibility::Visibility;

const EXPORT_TO: &str = "networking.istio.io/exportTo";
const TRAFFIC_DISTRIBUTION: &str = "networking.istio.io/traffic-distribution";
const KUBERNETES_ACCOUNTS: &str = "alpha.istio.io/kubernetes-serviceaccounts";
const CANONICAL_ACCOUNTS: &str = "alpha.istio.io/canonical-serviceaccounts";

/// The service that a Kubernetes `Service` object declares. `of_namespace` is the traffic distribution its namespace
/// asks for.
#[must_use]
pub fn convert(
    object: &Object,
    written: &written::Service,
    of_namespace: Option<TrafficDistribution>,
    mesh: &Mesh,
) -> Service {
    let (name, namespace) = (object.name(), object.namespace());
    let spec = &written.spec;
    let external = spec.type_ == "ExternalName";
    let headless = spec.cluster_ip == "None";
    let resolution = if external && !spec.external_name.is_empty() {
        Resolution::Alias(Host::new(&spec.external_name))
    } else if headless {
        Resolution::Passthrough
    } else {
        Resolution::Static
    };
    let annotation = |key: &str| object.meta.annotations.get(key).map(String::as_str);
    let export_to: Vec<String> = annotation(EXPORT_TO).map(list).unwrap_or_default();
    Service {
        host: Host::complete(name, namespace, mesh.domain()),
        namespace: namespace.into(),
        name: name.into(),
        object_name: name.into(),
        age: Age::new(object.meta.creation_timestamp),
        registry: Registry::Kubernetes,
        resolution,
        addresses: addresses(spec),
        auto_addresses: Vec::new(),
        ports: spec.ports.iter().filter_map(port).collect(),
        mesh_external: external,
        visibility: Visibility::of(&export_to, namespace, &mesh.config().default_service_export_to),
        headless,
        node_local: spec.internal_traffic_policy == "Local",
        traffic_distribution: traffic_distribution(Some(&spec.traffic_distribution))
            .or_else(|| traffic_distribution(annotation(TRAFFIC_DISTRIBUTION)))
            .or(of_namespace)
            .unwrap_or_default(),
        labels: object.meta.labels.clone(),
        selector: spec.selector.clone(),
        subject_alt_names: accounts(namespace, annotation, mesh),
        aliases: Vec::new(),
        origin: Origin::of(object.reference()),
    }
}

/// The traffic distribution that an annotation asks for, nothing when the value is absent or unknown.
#[must_use]
pub fn traffic_distribution(text: Option<&str>) -> Option<TrafficDistribution> {
    match text?.to_ascii_lowercase().as_str() {
        "preferclose" | "prefersamezone" => Some(TrafficDistribution::PreferSameZone),
        "prefersamenode" => Some(TrafficDistribution::PreferSameNode),
        "any" => Some(TrafficDistribution::Any),
        _ => None,
    }
}

/// The traffic distribution that annotations of an object ask for.
#[must_use]
pub fn annotated_distribution(object: &Object) -> Option<TrafficDistribution> {
    traffic_distribution(object.meta.annotations.get(TRAFFIC_DISTRIBUTION).map(String::as_str))
}

fn addresses(spec: &written::ServiceSpec) -> Vec<ServiceAddress> {
    let mut found: Vec<ServiceAddress> = Vec::new();
    for text in std::iter::once(&spec.cluster_ip).chain(&spec.cluster_ips) {
        if let Ok(ip) = text.parse() {
            let address = ServiceAddress::Ip(ip);
            if !found.contains(&address) {
                found.push(address);
            }
        }
    }
    found
}

fn port(written: &written::ServicePort) -> Option<ServicePort> {
    let number = u16::try_from(written.port).ok()?;
    let app_protocol = Some(written.app_protocol.as_str()).filter(|text| !text.is_empty());
    let target = match &written.target_port {
        Some(IntOrString::Int(0)) | None => TargetPort::Same,
        Some(IntOrString::Int(target)) => TargetPort::Number(u16::try_from(*target).ok()?),
        Some(IntOrString::String(name)) => match name.parse() {
            Ok(target) => TargetPort::Number(target),
            Err(_) => TargetPort::Name(name.as_str().into()),
        },
    };
    Some(ServicePort {
        number,
        name: written.name.as_str().into(),
        protocol: Protocol::of_kubernetes_port(
            &written.protocol,
            number,
            &written.name,
            app_protocol,
        ),
        target,
    })
}

/// Identities that annotations add to those of the pods.
fn accounts<'a>(
    namespace: &str,
    annotation: impl Fn(&str) -> Option<&'a str>,
    mesh: &Mesh,
) -> Vec<String> {
    let kubernetes = annotation(KUBERNETES_ACCOUNTS).map(list).unwrap_or_default();
    let canonical = annotation(CANONICAL_ACCOUNTS).map(list).unwrap_or_default();
    let trust_domain = &mesh.config().trust_domain;
    let mut all: Vec<String> = canonical
        .into_iter()
        .map(|name| format!("spiffe://{trust_domain}/{name}"))
        .chain(kubernetes.into_iter().map(|name| mesh.identity(namespace, &name)))
        .collect();
    all.sort();
    all
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(|entry| entry.trim().to_owned()).filter(|entry| !entry.is_empty()).collect()
}

/// Follows `ExternalName` services to the services they stand for, and notes each alias at its target.
pub fn resolve_aliases(services: &mut [Service]) {
    let mut next: BTreeMap<Host, Host> = BTreeMap::new();
    for service in services.iter() {
        if let Resolution::Alias(target) = &service.resolution {
            next.entry(service.host.clone()).or_insert_with(|| target.clone());
        }
    }
    if next.is_empty() {
        return;
    }
    let mut of_target: BTreeMap<Host, Vec<Alias>> = BTreeMap::new();
    for service in services.iter() {
        let Resolution::Alias(first) = &service.resolution else { continue };
        let mut target = first;
        // A cycle of aliases ends nowhere.
        for _ in 0..next.len() {
            match next.get(target) {
                Some(further) => target = further,
                None => break,
            }
        }
        let alias = Alias { host: service.host.clone(), namespace: Arc::clone(&service.namespace) };
        of_target.entry(target.clone()).or_default().push(alias);
    }
    for service in services {
        if let Some(aliases) = of_target.get(&service.host) {
            service.aliases.clone_from(aliases);
        }
    }
}
