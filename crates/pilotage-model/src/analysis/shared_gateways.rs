//! Gateways that get into each other's way: one certificate in several objects (IST0138), and several objects with the
//! same hosts on one port (IST0145).

use std::collections::{BTreeMap, BTreeSet};

use pilotage_config::gateway::{Gateway, Server};
use pilotage_config::object::{Kind, Object};
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::Context;
use crate::labels::{Labels, selector_text, selects};

/// The gateways among objects.
pub(super) fn gateways<'a>(objects: &'a [&'a Object]) -> Vec<Named<'a>> {
    let gateway = |object: &&'a Object| match &object.body {
        Kind::Gateway(gateway) => Some((*object, &**gateway)),
        _ => None,
    };
    objects.iter().filter_map(gateway).collect()
}

/// One certificate in several objects.
pub(super) fn certificates(context: &Context<'_>) -> Vec<Diagnostic> {
    let gateways = gateways(context.objects());
    gateways.iter().filter_map(|one| duplicate_certificate(*one, &gateways)).collect()
}

/// One host of a port in several objects.
pub(super) fn conflicts(context: &Context<'_>) -> Vec<Diagnostic> {
    let objects = context.objects();
    let gateways = gateways(objects);
    let pods: Vec<&Labels> = objects
        .iter()
        .filter(|object| matches!(object.body, Kind::Pod(_)))
        .map(|object| &object.meta.labels)
        .collect();
    let mut problems = Vec::new();
    for one in &gateways {
        // Without pods there is nothing to share, which is told elsewhere.
        let selector = &one.1.selector;
        if selector.is_empty() || pods.iter().any(|labels| selects(selector, labels)) {
            problems.extend(conflicting_servers(*one, &gateways));
        }
    }
    problems
}

/// A gateway and the object that it is.
pub(super) type Named<'a> = (&'a Object, &'a Gateway);

fn name(object: &Object) -> String {
    format!("`{}/{}`", object.namespace(), object.name())
}

/// A problem when other gateways, of the same pods or of some of them, use a certificate of this one.
fn duplicate_certificate((object, gateway): Named<'_>, all: &[Named<'_>]) -> Option<Diagnostic> {
    let sharing = all.iter().filter(|(other, with)| {
        !std::ptr::eq(*other, object) && selects(&gateway.selector, &with.selector)
    });
    let mut server = None;
    let mut others = BTreeSet::new();
    let mut in_order = vec![format!("{}/{}", object.namespace(), object.name())];
    for (other, with) in sharing {
        let found = gateway
            .servers
            .iter()
            .position(|mine| with.servers.iter().any(|theirs| same_certificate(mine, theirs)));
        if let Some(found) = found {
            server.get_or_insert(found);
            others.insert(name(other));
            in_order.push(format!("{}/{}", other.namespace(), other.name()));
        }
    }
    let path = FieldPath::spec().field("servers").index(server?).field("tls");
    let others = others.into_iter().collect::<Vec<_>>().join(", ");
    let message = format!("the certificate of this server is also that of {others}");
    Some(
        object
            .value_diagnostic(codes::IST0138, &path, message, "not the only gateway with it")
            .note("a browser may reuse a connection for a host of the other gateway, and get 404")
            .istio(format!(
                "Duplicate certificate in multiple gateways [{}] may cause 404s if clients re-use HTTP2 connections.",
                in_order.join(" ")
            )),
    )
}

fn same_certificate(a: &Server, b: &Server) -> bool {
    let (Some(a), Some(b)) = (&a.tls, &b.tls) else { return false };
    let credential = !a.credential_name.is_empty() && a.credential_name == b.credential_name;
    let files = !a.server_certificate.is_empty()
        && !a.private_key.is_empty()
        && a.server_certificate == b.server_certificate
        && a.private_key == b.private_key;
    credential || files
}

fn number(server: &Server) -> u32 {
    server.port.as_ref().map_or(0, |port| port.number)
}

/// Whether two servers of one port listen at the same address for one host, as written.
fn overlap(a: &Server, b: &Server) -> bool {
    a.bind == b.bind && a.hosts.iter().any(|host| b.hosts.contains(host))
}

/// One problem for each server of a port whose hosts another gateway of the same pods has as well. As in Istio, only
/// the last server of the other gateway's port is looked at, and a gateway that names a host twice on one port
/// conflicts with all others there.
fn conflicting_servers((object, gateway): Named<'_>, all: &[Named<'_>]) -> Vec<Diagnostic> {
    let alike = |with: &Gateway| {
        selects(&gateway.selector, &with.selector) || selects(&with.selector, &gateway.selector)
    };
    let others: Vec<&Named<'_>> =
        all.iter().filter(|(other, with)| !std::ptr::eq(*other, object) && alike(with)).collect();
    let mut problems = Vec::new();
    let mut earlier: BTreeMap<u32, Vec<&Server>> = BTreeMap::new();
    for (index, server) in gateway.servers.iter().enumerate() {
        let own = earlier.entry(number(server)).or_default();
        let is_repeated = own.iter().any(|known| overlap(known, server));
        own.push(server);
        let conflicting: BTreeSet<String> = others
            .iter()
            .filter(|(_, with)| {
                let at_port = with.servers.iter().rfind(|other| number(other) == number(server));
                at_port.is_some_and(|other| is_repeated || overlap(server, other))
            })
            .map(|(other, _)| name(other))
            .collect();
        if conflicting.is_empty() {
            continue;
        }
        let conflicting = conflicting.into_iter().collect::<Vec<_>>().join(", ");
        let message =
            format!("{conflicting} has the same hosts on port {} of the same pods", number(server));
        let path = FieldPath::spec().field("servers").index(index).field("hosts");
        problems.push(
            object
                .value_diagnostic(codes::IST0145, &path, message, "the oldest object has them")
                .help("put the hosts into one Gateway, or give each object ports of its own")
                .istio(format!(
                    "Conflict with gateways {} (workload selector {}, port {}, hosts {}).",
                    conflicting.replace('`', "").replace(", ", ","),
                    selector_text(&gateway.selector),
                    number(server),
                    server.hosts.join(",")
                )),
        );
    }
    problems
}
