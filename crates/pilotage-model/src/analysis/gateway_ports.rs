//! Servers of gateways on ports that no service of the gateway's pods leads to (IST0162).

use std::collections::{BTreeMap, BTreeSet};

use pilotage_config::kubernetes::service::{IntOrString, Service};
use pilotage_config::object::Kind;
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::Context;
use crate::labels::{Labels, Selectors, selector_text};

/// The problems of all gateways that have pods.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let objects = context.objects();
    let services = Selectors::new(objects.iter().filter_map(|object| match &object.body {
        Kind::Service(service) => Some((object.namespace(), &service.spec.selector, &**service)),
        _ => None,
    }));
    let mut known: BTreeMap<&Labels, Option<BTreeSet<u32>>> = BTreeMap::new();
    let mut problems = Vec::new();
    for object in objects {
        let Kind::Gateway(gateway) = &object.body else { continue };
        let ports = known
            .entry(&gateway.selector)
            .or_insert_with(|| service_ports(&gateway.selector, context, &services));
        let Some(ports) = ports else { continue };
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

/// The ports of the services that select one of the pods of `selector`, and those of the pods that they lead to. Nothing
/// where there is no pod.
fn service_ports(
    selector: &Labels,
    context: &Context<'_>,
    services: &Selectors<'_, &Service>,
) -> Option<BTreeSet<u32>> {
    let mut ports = None;
    for pod in context.pods.selected_by(selector) {
        let of_pod = services.selecting(pod.namespace(), &pod.meta.labels);
        let of_pod = of_pod.into_iter().flat_map(|service| ports_of(service));
        ports.get_or_insert_with(BTreeSet::new).extend(of_pod);
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
