//! Service entries that cannot be told apart: connections without an address of their own (IST0134), and hosts whose
//! port several objects declare with different protocols (IST0177).

use std::collections::{BTreeMap, BTreeSet};

use pilotage_config::object::{Kind, Object, ServiceEntryObject};
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::{Context, EVERYBODY, scopes};

/// Entries whose connections need addresses to be told apart.
pub(super) fn addresses(context: &Context<'_>) -> Vec<Diagnostic> {
    service_entries(context.objects())
        .flat_map(|(object, entry)| without_address(object, entry))
        .collect()
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
            .istio("ServiceEntry addresses are required for this protocol.")
    };
    nameless.map(problem).collect()
}

/// The most places of other objects that are shown.
const RELATED_MAX: usize = 3;

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

/// Hosts and ports with several protocols.
pub(super) fn conflicting_protocols(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut declared: BTreeMap<(&str, u32), Vec<Declared<'_>>> = BTreeMap::new();
    for (object, entry) in service_entries(context.objects()) {
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
            let others: Vec<&Declared<'_>> = all
                .iter()
                .filter(|other| !std::ptr::eq(one.object, other.object))
                .filter(|other| one.conflicts_with(other))
                .collect();
            if !others.is_empty() {
                problems.push(conflict(one, &others, host, *number));
            }
        }
    }
    problems
}

fn conflict(one: &Declared<'_>, others: &[&Declared<'_>], host: &str, number: u32) -> Diagnostic {
    let name = |one: &Declared<'_>| format!("{}/{}", one.object.namespace(), one.object.name());
    let text = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>().join(", ");
    let named = text(others.iter().map(|other| format!("`{}`", name(other))).collect());
    let message = format!("port {number} of `{host}` has another protocol in {named}");
    let protocol =
        |one: &Declared<'_>| FieldPath::spec().field("ports").index(one.port).field("protocol");
    let all = || others.iter().copied().chain([one]);
    let mut problem = one
        .object
        .value_diagnostic(codes::IST0177, &protocol(one), message, "not the only protocol")
        .note("the oldest object decides")
        .istio(format!(
            "Multiple ServiceEntries ({}) define the same host {host:?} and port {number} with conflicting protocols ({}).",
            text(all().map(name).collect()),
            text(all().map(|one| one.protocol.clone()).collect())
        ));
    for other in others.iter().take(RELATED_MAX) {
        problem = other.object.also_value(problem, &protocol(other), "another one");
    }
    problem
}
