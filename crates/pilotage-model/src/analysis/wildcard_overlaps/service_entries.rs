//! ServiceEntries for a host that name fewer ports than one for a wildcard (PIL0317): on the others the wildcard goes on
//! to count.

use std::collections::{BTreeMap, BTreeSet};

use pilotage_config::object::{Kind, Object};
use pilotage_config::service_entry::ServiceEntry;
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::Wildcards;
use crate::analysis::{Context, EVERYBODY, scopes};

/// A host of a ServiceEntry in one scope.
struct Naming<'a> {
    object: &'a Object,
    spec: &'a ServiceEntry,
    host: usize,
    name: &'a str,
}

/// One problem for each host of which a wildcard keeps ports, and leads elsewhere on them.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut namings = Vec::new();
    let mut ports: BTreeMap<(&str, &str), BTreeSet<u32>> = BTreeMap::new();
    for object in context.objects() {
        let Kind::ServiceEntry(entry) = &object.body else { continue };
        let spec = &entry.spec;
        for scope in scopes(spec.export_to.iter().map(String::as_str), object.namespace()) {
            for (host, name) in spec.hosts.iter().enumerate() {
                let numbers = spec.ports.iter().map(|port| port.number);
                ports.entry((scope, name)).or_default().extend(numbers);
                namings.push((scope, Naming { object, spec, host, name }));
            }
        }
    }
    let wildcards =
        Wildcards::new(namings.iter().map(|(scope, naming)| (*scope, naming.name, naming)));
    let mut problems = Vec::new();
    for (scope, naming) in &namings {
        let mut own = ports.get(&(*scope, naming.name)).cloned().unwrap_or_default();
        if *scope != EVERYBODY {
            own.extend(ports.get(&(EVERYBODY, naming.name)).into_iter().flatten());
        }
        let keeps = |other: &&&Naming<'_>| {
            leads_elsewhere(naming.spec, other.spec)
                && other.spec.ports.iter().any(|port| !own.contains(&port.number))
        };
        let kept = wildcards.covering(scope, naming.name).find(keeps);
        if let Some(other) = kept {
            problems.push(problem(naming, other, &own));
        }
    }
    problems
}

/// Whether requests for one end elsewhere than requests for the other.
fn leads_elsewhere(one: &ServiceEntry, other: &ServiceEntry) -> bool {
    one.resolution != other.resolution
        || one.endpoints != other.endpoints
        || one.workload_selector != other.workload_selector
}

fn problem(naming: &Naming<'_>, other: &Naming<'_>, own: &BTreeSet<u32>) -> Diagnostic {
    let kept: BTreeSet<u32> = other.spec.ports.iter().map(|port| port.number).collect();
    let kept: Vec<String> = kept.difference(own).map(u32::to_string).collect();
    let (ports, them) = match kept.as_slice() {
        [_] => ("port", "it is its"),
        _ => ("ports", "they are its"),
    };
    let message = format!(
        "`{}` still goes where `{}` leads on {ports} {}",
        naming.name,
        other.name,
        kept.join(", ")
    );
    let path = |naming: &Naming<'_>| FieldPath::spec().field("hosts").index(naming.host);
    let problem = naming
        .object
        .value_diagnostic(codes::PIL0317, &path(naming), message, "only on the ports named here")
        .help(format!("name the {ports} here as well, or be sure that {them}"));
    other.object.also_value(problem, &path(other), "counts on the others")
}
