//! Problems that only several objects together show, under Istio's codes where the meaning is Istio's and under our own
//! where Istio says nothing.
//!
//! The analyzers look at objects as written, those that break a rule of their own included: a mistake in one object is
//! no reason to say nothing about the others.

mod bypassed_subsets;
mod delegates;
mod destination_ports;
mod destination_rules;
mod destinations;
mod gateway_ports;
mod gateway_references;
mod known_hosts;
mod mesh_hosts;
mod namespaces;
mod port_names;
mod selectors;
mod service_entries;
mod shared_gateways;
pub mod subsets;

use std::collections::{BTreeMap, BTreeSet};

use pilotage_config::object::{Kind, Object};
use pilotage_config::virtual_service::VirtualService;
use pilotage_config::{Diagnostic, ObjectRef};

use self::known_hosts::KnownHosts;

/// The domain that short names are completed with. The analyzers do not look at the mesh's own.
const DOMAIN: &str = "cluster.local";

/// The annotation that lists codes not to report for an object, `*` meaning all.
const SUPPRESS: &str = "galley.istio.io/analyze-suppress";
/// Namespaces of the system, which need no advice.
const SYSTEM_NAMESPACES: [&str; 5] =
    ["istio-system", "kube-system", "kube-public", "kube-node-lease", "local-path-storage"];
/// The scope of what everybody sees.
const EVERYBODY: &str = "*";

/// The problems of `objects` with each other, by analyzer and then in the order of the objects. What an object asks
/// not to be told is left out.
#[must_use]
pub fn analyze(objects: &[&Object]) -> Vec<Diagnostic> {
    let hosts = KnownHosts::new(objects);
    let mut problems = destinations::analyze(objects, &hosts);
    problems.extend(destination_ports::analyze(objects, &hosts));
    problems.extend(delegates::analyze(objects));
    problems.extend(bypassed_subsets::analyze(objects));
    problems.extend(mesh_hosts::analyze(objects));
    problems.extend(gateway_references::analyze(objects));
    problems.extend(destination_rules::analyze(objects, &hosts));
    problems.extend(subsets::analyze(objects, &hosts));
    problems.extend(selectors::analyze(objects));
    problems.extend(gateway_ports::analyze(objects));
    problems.extend(port_names::analyze(objects));
    problems.extend(namespaces::analyze(objects));
    problems.extend(service_entries::analyze(objects));
    problems.extend(shared_gateways::analyze(objects));
    let suppressed = suppressed(objects);
    problems.retain(|problem| !is_suppressed(problem, &suppressed));
    problems
}

/// The codes that objects do not want to hear of.
fn suppressed<'a>(objects: &[&'a Object]) -> BTreeMap<ObjectRef, Vec<&'a str>> {
    let wishes = objects.iter().filter_map(|object| {
        let list = object.meta.annotations.get(SUPPRESS)?;
        Some((object.reference(), list.split(',').map(str::trim).collect()))
    });
    wishes.collect()
}

fn is_suppressed(problem: &Diagnostic, suppressed: &BTreeMap<ObjectRef, Vec<&str>>) -> bool {
    let wishes = problem.object.as_ref().and_then(|object| suppressed.get(object));
    wishes.is_some_and(|codes| codes.iter().any(|code| *code == "*" || *code == problem.code.id()))
}

/// The virtual services among objects.
fn virtual_services<'a>(
    objects: &'a [&'a Object],
) -> impl Iterator<Item = (&'a Object, &'a VirtualService)> {
    objects.iter().filter_map(|object| match &object.body {
        Kind::VirtualService(spec) => Some((*object, &**spec)),
        _ => None,
    })
}

/// The full name of a host as a rule of `namespace` means it.
fn full_name(host: &str, namespace: &str) -> String {
    if host.starts_with('*') || host.contains('.') {
        host.to_owned()
    } else {
        format!("{host}.{namespace}.svc.{DOMAIN}")
    }
}

/// The scopes of an object of `namespace` with this `exportTo`: everybody, or the namespaces it names, each once.
fn scopes<'a>(
    export_to: impl Iterator<Item = &'a str> + Clone,
    namespace: &'a str,
) -> Vec<&'a str> {
    if export_to.clone().next().is_none() || export_to.clone().any(|entry| entry == EVERYBODY) {
        return vec![EVERYBODY];
    }
    let named: BTreeSet<&str> =
        export_to.map(|entry| if entry == "." { namespace } else { entry }).collect();
    named.into_iter().collect()
}

#[cfg(test)]
mod tests;
