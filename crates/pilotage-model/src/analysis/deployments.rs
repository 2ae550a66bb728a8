//! Deployments that belong to several services which disagree about a port (IST0116, IST0137).

use std::collections::{BTreeMap, BTreeSet};

use pilotage_config::kubernetes::Workload;
use pilotage_config::kubernetes::service::{IntOrString, Service};
use pilotage_config::object::{Kind, Object};
use pilotage_config::{Code, Diagnostic, FieldPath, codes};

use super::Context;
use crate::labels::Selectors;

/// Says of a pod, as label or annotation, or of a namespace, as label, whether sidecars are put in.
const INJECT: &str = "sidecar.istio.io/inject";
/// The container that a sidecar is.
const PROXY: &str = "istio-proxy";
const NAMESPACE_INJECTION: &str = "istio-injection";

/// A service and the object that it is.
type Named<'a> = (&'a Object, &'a Service);

/// The problems of all deployments whose pods have sidecars.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let objects = context.objects();
    let services = Selectors::new(objects.iter().filter_map(|object| match &object.body {
        Kind::Service(service) => {
            Some((object.namespace(), &service.spec.selector, (*object, &**service)))
        }
        _ => None,
    }));
    let injected: BTreeSet<&str> = objects
        .iter()
        .filter(|object| matches!(object.body, Kind::Namespace(_)))
        .filter(|object| {
            object.meta.labels.get(NAMESPACE_INJECTION).is_some_and(|label| label == "enabled")
        })
        .map(|object| object.name())
        .collect();
    let mut problems = Vec::new();
    for object in objects {
        let Kind::Deployment(deployment) = &object.body else { continue };
        let namespace = object.namespace();
        let is_in_mesh = says_itself(deployment).unwrap_or_else(|| injected.contains(namespace));
        if !is_in_mesh {
            continue;
        }
        let labels = &deployment.spec.template.metadata.labels;
        let services: Vec<Named<'_>> =
            services.selecting(namespace, labels).into_iter().copied().collect();
        problems.extend(protocols(object, &services));
        problems.extend(target_ports(object, &services));
    }
    problems
}

/// Whether its pods get a sidecar, if it says so itself.
fn says_itself(deployment: &Workload) -> Option<bool> {
    let template = &deployment.spec.template;
    if template.spec.containers.iter().any(|container| container.name == PROXY) {
        return Some(true);
    }
    let meta = &template.metadata;
    let own = meta.labels.get(INJECT).or_else(|| meta.annotations.get(INJECT));
    own.map(|own| own == "true")
}

fn full_name(object: &Object) -> String {
    format!("{}/{}", object.namespace(), object.name())
}

/// One port number, several transport protocols.
fn protocols(deployment: &Object, services: &[Named<'_>]) -> Vec<Diagnostic> {
    let mut ports: BTreeMap<u32, BTreeMap<&str, Vec<String>>> = BTreeMap::new();
    for (object, service) in services {
        for port in &service.spec.ports {
            let protocol = if port.protocol.is_empty() { "TCP" } else { &port.protocol };
            let users = ports.entry(port.port).or_default().entry(protocol).or_default();
            users.push(full_name(object));
        }
    }
    let several = ports.into_iter().filter(|(_, protocols)| protocols.len() > 1);
    several
        .map(|(port, protocols)| {
            let mut services: Vec<String> = protocols.into_values().flatten().collect();
            services.sort();
            let list = services.join(" ");
            let shown = list.replace(' ', ", ");
            let message = format!("services of its pods use port {port} with different protocols: {shown}");
            problem(codes::IST0116, deployment, message).istio(format!(
                "This deployment {} is associated with multiple services using port {port} but different protocols: \
                 [{list}]",
                deployment.name()
            ))
        })
        .collect()
}

/// One port of the pods, several ports of services.
fn target_ports(deployment: &Object, services: &[Named<'_>]) -> Vec<Diagnostic> {
    let mut targets: BTreeMap<String, BTreeMap<u32, String>> = BTreeMap::new();
    for (object, service) in services {
        for port in &service.spec.ports {
            let target = match &port.target_port {
                Some(IntOrString::Int(number)) if *number != 0 => number.to_string(),
                Some(IntOrString::String(name)) if !name.is_empty() => name.clone(),
                Some(IntOrString::Int(_) | IntOrString::String(_)) | None => port.port.to_string(),
            };
            targets.entry(target).or_default().insert(port.port, full_name(object));
        }
    }
    let several = targets.into_iter().filter(|(_, ports)| ports.len() > 1);
    several
        .map(|(target, ports)| {
            let numbers: Vec<String> = ports.keys().map(u32::to_string).collect();
            let names: BTreeSet<String> = ports.values().cloned().collect();
            let shown = names.into_iter().collect::<Vec<_>>().join(", ");
            let mut listed: Vec<String> = ports.into_values().collect();
            listed.sort();
            let message = format!(
                "services of its pods lead to port {target} from different ports ({}): {shown}",
                numbers.join(", ")
            );
            problem(codes::IST0137, deployment, message).istio(format!(
                "This deployment {} is associated with multiple services [{}] using targetPort {target:?} but different \
                 ports: [{}].",
                deployment.name(),
                listed.join(" "),
                numbers.join(" ")
            ))
        })
        .collect()
}

fn problem(code: Code, deployment: &Object, message: String) -> Diagnostic {
    deployment.value_diagnostic(
        code,
        &FieldPath::from("metadata.name"),
        message,
        "in several services",
    )
}
