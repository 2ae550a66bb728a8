//! Gateways that virtual services name: those that do not exist (IST0101), and those none of whose servers takes any
//! of the hosts (IST0132).

use std::collections::BTreeMap;

use pilotage_config::gateway::Gateway;
use pilotage_config::object::{Kind, Object};
use pilotage_config::virtual_service::VirtualService;
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::{Context, virtual_services};
use crate::host::Host;

/// The problems of all virtual services.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let objects = context.objects();
    let gateways: BTreeMap<(&str, &str), &Gateway> = objects
        .iter()
        .filter_map(|object| match &object.body {
            Kind::Gateway(spec) => Some(((object.namespace(), object.name()), &**spec)),
            _ => None,
        })
        .collect();
    let mut problems = Vec::new();
    for (object, spec) in virtual_services(objects) {
        for (index, name) in spec.gateways.iter().enumerate().filter(|(_, name)| *name != "mesh") {
            // The analyzers know neither `./name` nor the legacy form with dots.
            let wanted = name.split_once('/').unwrap_or((object.namespace(), name));
            let gateway = gateways.get(&wanted).copied();
            let path = FieldPath::spec().field("gateways").index(index);
            if gateway.is_none() {
                let message = format!("there is no Gateway `{}/{}`", wanted.0, wanted.1);
                problems.push(
                    object
                        .value_diagnostic(codes::IST0101, &path, message, "no such gateway")
                        .istio(format!("Referenced gateway not found: {name:?}")),
                );
            }
            if !gateway.is_some_and(|gateway| takes(gateway, wanted.0, object, spec)) {
                let full = format!("{}/{}", wanted.0, wanted.1);
                problems.push(no_host(object, spec, &path, &full));
            }
        }
    }
    problems
}

fn no_host(object: &Object, spec: &VirtualService, path: &FieldPath, gateway: &str) -> Diagnostic {
    let message = format!("no server of the gateway `{gateway}` takes any of the hosts");
    let label = "nothing is routed there";
    object
        .value_diagnostic(codes::IST0132, path, message, label)
        .help("add the hosts to a server of the gateway, or take the gateway out")
        .istio(format!(
            "one or more host [{}] defined in VirtualService {}/{} not found in Gateway {gateway}.",
            spec.hosts.join(" "),
            object.namespace(),
            object.name()
        ))
}

/// Whether any server of `gateway` takes any host of the virtual service.
fn takes(gateway: &Gateway, owner: &str, object: &Object, spec: &VirtualService) -> bool {
    let hosts = gateway.servers.iter().flat_map(|server| &server.hosts);
    let open = hosts.filter_map(|host| open_host(host, owner, object.namespace()));
    open.into_iter().any(|open| spec.hosts.iter().any(|host| open.matches(&Host::new(host))))
}

/// A server's host, if virtual services of `namespace` may use it.
fn open_host(host: &str, owner: &str, namespace: &str) -> Option<Host> {
    match host.split_once('/') {
        Some(("*", name)) => Some(Host::new(name)),
        Some((".", name)) => (owner == namespace).then(|| Host::new(name)),
        Some((only, name)) => (only == namespace).then(|| Host::new(name)),
        None => Some(Host::new(host)),
    }
}
