//! Servers of gateways on ports that no service of the gateway's pods leads to (IST0162).

use std::collections::BTreeSet;

use pilotage_config::kubernetes::service::{IntOrString, Service};
use pilotage_config::object::{Kind, Object};
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::Context;
use crate::labels::{selector_text, selects};

/// The problems of all gateways that have pods.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let objects = context.objects();
    let pods: Vec<&Object> =
        objects.iter().copied().filter(|object| matches!(object.body, Kind::Pod(_))).collect();
    let mut problems = Vec::new();
    for object in objects {
        let Kind::Gateway(gateway) = &object.body else { continue };
        let own: Vec<&Object> = pods
            .iter()
            .copied()
            .filter(|pod| selects(&gateway.selector, &pod.meta.labels))
            .collect();
        if own.is_empty() {
            continue;
        }
        let ports = service_ports(objects, &own);
        for (index, server) in gateway.servers.iter().enumerate() {
            let Some(port) = &server.port else { continue };
            if ports.contains(&port.number) {
                continue;
            }
            let message = format!("no service of the gateway's pods leads to port {}", port.number);
            let path = FieldPath::spec().field("servers").index(index).field("port");
            let path = path.field("number");
            let label = "not reached from outside";
            problems.push(object.value_diagnostic(codes::IST0162, &path, message, label).istio(format!(
                "The gateway is listening on a target port (port {}) that is not defined in the Service associated \
                 with its workload instances (Pod selector {}). If you need to access the gateway port through the \
                 gateway Service, it will not be available.",
                port.number,
                selector_text(&gateway.selector)
            )));
        }
    }
    problems
}

/// The ports of the services that select one of `pods`, and those of the pods that they lead to.
fn service_ports(objects: &[&Object], pods: &[&Object]) -> BTreeSet<u32> {
    let mut ports = BTreeSet::new();
    for object in objects {
        let Kind::Service(service) = &object.body else { continue };
        let selector = &service.spec.selector;
        let reaches = |pod: &&Object| {
            pod.namespace() == object.namespace() && selects(selector, &pod.meta.labels)
        };
        if !selector.is_empty() && pods.iter().any(reaches) {
            ports.extend(ports_of(service));
        }
    }
    ports
}

fn ports_of(service: &Service) -> impl Iterator<Item = u32> {
    service.spec.ports.iter().flat_map(|port| {
        let target = match &port.target_port {
            Some(IntOrString::Int(number)) => Some(*number),
            Some(IntOrString::String(_)) | None => None,
        };
        [Some(port.port), target].into_iter().flatten()
    })
}
