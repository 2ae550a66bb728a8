//! Service entries that cannot be told apart: connections without an address of their own (IST0134), and hosts whose
//! port several objects declare with different protocols (IST0177).

use std::collections::{BTreeMap, BTreeSet};

use pilotage_config::object::{Kind, Object, ServiceEntryObject};
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::{EVERYBODY, scopes};

/// The problems of all service entries.
pub(super) fn analyze(objects: &[&Object]) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for (object, entry) in service_entries(objects) {
        problems.extend(without_address(object, entry));
    }
    problems.extend(conflicting_protocols(objects));
    problems
}

fn service_entries<'a>(
    objects: &'a [&'a Object],
) -> impl Iterator<Item = (&'a Object, &'a ServiceEntryObject)> {
    objects.iter().filter_map(|object| match &object.body {
        Kind::ServiceEntry(entry) => Some((*object, &**entry)),
        _ => None,
    })
}

/// One problem for each port whose connections do not name a host, when the object has no addresses.
fn without_address(object: &Object, entry: &ServiceEntryObject) -> Vec<Diagnostic> {
    if !entry.spec.addresses.is_empty() || !entry.status.addresses.is_empty() {
        return Vec::new();
    }
    let ports = entry.spec.ports.iter().enumerate();
    let nameless = ports.filter(|(_, port)| matches!(port.protocol.as_str(), "" | "TCP"));
    let problem = |(index, port): (usize, &pilotage_config::service_entry::ServicePort)| {
        let message = format!(
            "connections to port {} say nothing about the host they are for, and the object has no addresses",
            port.number
        );
        let path = FieldPath::spec().field("ports").index(index);
        object
            .value_diagnostic(codes::IST0134, &path, message, "which address?")
            .help("add `addresses`, or name a protocol whose connections carry the host")
    };
    nameless.map(problem).collect()
}

/// An object, the position of its port, and the port's protocol.
struct Declared<'a> {
    object: &'a Object,
    scopes: Vec<&'a str>,
    port: usize,
    protocol: String,
}

impl Declared<'_> {
    fn conflicts_with(&self, other: &Self) -> bool {
        let meets = |scope: &&str| *scope == EVERYBODY || other.scopes.contains(scope);
        let seen_together = other.scopes.contains(&EVERYBODY) || self.scopes.iter().any(meets);
        self.protocol != other.protocol && seen_together
    }
}

fn conflicting_protocols(objects: &[&Object]) -> Vec<Diagnostic> {
    let mut declared: BTreeMap<(&str, u32), Vec<Declared<'_>>> = BTreeMap::new();
    for (object, entry) in service_entries(objects) {
        let export_to = entry.spec.export_to.iter().map(String::as_str);
        let scopes = scopes(export_to, object.namespace());
        for host in &entry.spec.hosts {
            for (port, written) in entry.spec.ports.iter().enumerate() {
                let protocol = written.protocol.to_ascii_uppercase();
                let one = Declared { object, scopes: scopes.clone(), port, protocol };
                declared.entry((host, written.number)).or_default().push(one);
            }
        }
    }
    let mut problems = Vec::new();
    for ((host, number), all) in &declared {
        for one in all {
            let others: BTreeSet<String> = all
                .iter()
                .filter(|other| !std::ptr::eq(one.object, other.object))
                .filter(|other| one.conflicts_with(other))
                .map(|other| format!("`{}/{}`", other.object.namespace(), other.object.name()))
                .collect();
            if others.is_empty() {
                continue;
            }
            let others = others.into_iter().collect::<Vec<_>>().join(", ");
            let message = format!("port {number} of `{host}` has another protocol in {others}");
            let path = FieldPath::spec().field("ports").index(one.port).field("protocol");
            problems.push(
                one.object
                    .value_diagnostic(codes::IST0177, &path, message, "not the only protocol")
                    .note("the oldest object decides"),
            );
        }
    }
    problems
}
