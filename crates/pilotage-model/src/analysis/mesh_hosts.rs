//! Virtual services that define rules of sidecars for the same host (IST0109): the oldest wins, and the others do
//! nothing for it.

use std::collections::{BTreeMap, BTreeSet};

use pilotage_config::object::Object;
use pilotage_config::virtual_service::VirtualService;
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::{Context, EVERYBODY, full_name, scopes, virtual_services};
use crate::host::Host;

/// The most places of other objects that are shown.
const RELATED_MAX: usize = 3;

/// Virtual services by scope and host.
type ByHost<'a> = BTreeMap<(&'a str, Host), Vec<Naming<'a>>>;

/// A virtual service and which of its hosts is meant.
#[derive(Clone, Copy)]
struct Naming<'a> {
    object: &'a Object,
    host: usize,
}

/// One problem for each virtual service that shares a host with another, or names a host twice.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let by_host = by_host(context.objects());
    let mut reported = BTreeSet::new();
    let mut problems = Vec::new();
    for ((scope, host), naming) in &by_host {
        let mut all = naming.clone();
        if *scope != EVERYBODY {
            all.extend(of_everybody(&by_host, host));
        }
        if all.len() < 2 {
            continue;
        }
        for one in &all {
            if reported.insert((one.object.namespace(), one.object.name())) {
                problems.push(problem(*one, scope, host, &all));
            }
        }
    }
    problems
}

fn by_host<'a>(objects: &'a [&'a Object]) -> ByHost<'a> {
    let mut by_host = ByHost::new();
    for (object, spec) in virtual_services(objects).filter(|(_, spec)| is_for_mesh(spec)) {
        let namespace = object.namespace();
        let scopes = scopes(spec.export_to.iter().map(String::as_str), namespace);
        // What is no name of a namespace is no scope.
        for scope in scopes.into_iter().filter(|scope| !scope.contains('/')) {
            for (index, host) in spec.hosts.iter().enumerate() {
                let host = Host::new(&full_name(host, namespace));
                by_host.entry((scope, host)).or_default().push(Naming { object, host: index });
            }
        }
    }
    by_host
}

/// The virtual services that everybody sees and whose hosts may mean `host`.
fn of_everybody<'a>(by_host: &ByHost<'a>, host: &Host) -> Vec<Naming<'a>> {
    let public =
        by_host.iter().filter(|((scope, public), _)| *scope == EVERYBODY && public.matches(host));
    public.flat_map(|(_, naming)| naming.iter().copied()).collect()
}

fn is_for_mesh(spec: &VirtualService) -> bool {
    spec.gateways.is_empty() || spec.gateways.iter().any(|gateway| gateway == "mesh")
}

fn problem(one: Naming<'_>, scope: &str, host: &Host, all: &[Naming<'_>]) -> Diagnostic {
    let others: BTreeSet<String> = all
        .iter()
        .filter(|other| !std::ptr::eq(other.object, one.object))
        .map(|other| format!("`{}/{}`", other.object.namespace(), other.object.name()))
        .collect();
    let message = if others.is_empty() {
        format!("`{host}` stands twice among the hosts")
    } else {
        let others = others.into_iter().collect::<Vec<_>>().join(", ");
        format!("`{host}` also has rules in {others}, and only the oldest object counts")
    };
    let path = FieldPath::spec().field("hosts").index(one.host);
    let mut problem = one
        .object
        .value_diagnostic(codes::IST0109, &path, message, "host of several objects")
        .help("put the rules into one VirtualService, or delegate to parts of it")
        .istio(format!(
            "The VirtualServices {} associated with mesh gateway define the same host {scope}/{host} which can lead to \
             undefined behavior. This can be fixed by merging the conflicting VirtualServices into a single resource.",
            names(all).join(",")
        ));
    let others = all.iter().filter(|other| !std::ptr::eq(other.object, one.object));
    for other in others.take(RELATED_MAX) {
        let path = FieldPath::spec().field("hosts").index(other.host);
        problem = other.object.also_value(problem, &path, "here as well");
    }
    problem
}

/// Namespace and name of each object, in order, as often as it names the host.
fn names(all: &[Naming<'_>]) -> Vec<String> {
    let mut names: Vec<String> =
        all.iter().map(|one| format!("{}/{}", one.object.namespace(), one.object.name())).collect();
    names.sort();
    names
}
