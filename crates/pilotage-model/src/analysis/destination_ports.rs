//! Routes without a port to a service whose only port is another than that of the listener (PIL0103).
//!
//! Gateways take the only port of a service, sidecars always that of the listener. What works at the edge then fails
//! inside of the mesh, and Istio says nothing about it.

use std::collections::BTreeSet;

use pilotage_config::object::Object;
use pilotage_config::virtual_service::{Destination, HttpRoute, VirtualService};
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::known_hosts::KnownHosts;
use super::{Context, virtual_services};

/// The problems of all virtual services for sidecars.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let hosts = &context.hosts;
    let mut problems = Vec::new();
    for (object, spec) in virtual_services(context.objects()) {
        let for_mesh = spec.gateways.is_empty() || spec.gateways.iter().any(|name| name == "mesh");
        // A delegate has no hosts, and so no listeners of its own.
        if !for_mesh || spec.hosts.is_empty() {
            continue;
        }
        let listeners = listeners(object, spec, hosts);
        for (index, rule) in spec.http.iter().enumerate() {
            let ports = ports_of(rule, &listeners);
            for (at, route) in rule.route.iter().enumerate() {
                let Some(destination) = &route.destination else { continue };
                let path = FieldPath::spec().field("http").index(index).field("route").index(at);
                let path = path.field("destination");
                problems.extend(problem(object, destination, &path, &ports, hosts));
            }
        }
    }
    problems
}

/// The ports of the listeners where the rules of a virtual service apply.
fn listeners(object: &Object, spec: &VirtualService, hosts: &KnownHosts) -> BTreeSet<u32> {
    let known = spec.hosts.iter().filter_map(|host| hosts.ports(host, object.namespace()));
    let ports: BTreeSet<u32> =
        known.flatten().filter(|port| port.is_http).map(|port| port.number).collect();
    // Rules for unknown hosts apply at port 80.
    if ports.is_empty() { BTreeSet::from([80]) } else { ports }
}

/// Those of them that a rule can apply at.
fn ports_of(rule: &HttpRoute, listeners: &BTreeSet<u32>) -> BTreeSet<u32> {
    let anywhere = rule.match_.is_empty() || rule.match_.iter().any(|block| block.port == 0);
    let here = |port: &&u32| anywhere || rule.match_.iter().any(|block| block.port == **port);
    listeners.iter().filter(here).copied().collect()
}

fn problem(
    object: &Object,
    destination: &Destination,
    path: &FieldPath,
    listeners: &BTreeSet<u32>,
    hosts: &KnownHosts,
) -> Option<Diagnostic> {
    let host = &destination.host;
    let [only] = hosts.ports(host, object.namespace())?.as_slice() else { return None };
    let failing = listeners.iter().find(|port| **port != only.number)?;
    if destination.port.is_some() {
        return None;
    }
    let message = format!(
        "requests that arrive at port {failing} go to port {failing} of `{host}`, which has only \
         port {}",
        only.number
    );
    let problem = object.value_diagnostic(codes::PIL0103, path, message, "no port");
    Some(problem.help(format!("add `port: {{number: {}}}`", only.number)))
}
