//! Gateways that get into each other's way: one certificate in several objects (IST0138), and several objects with the
//! same hosts on one port (IST0145).

use std::collections::{BTreeMap, BTreeSet};

use pilotage_config::gateway::{Gateway, Server};
use pilotage_config::object::{Kind, Object};
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::Context;
use crate::labels::{selector_text, selects};

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
    let mut users: BTreeMap<Certificate<'_>, BTreeSet<usize>> = BTreeMap::new();
    for (position, (_, gateway)) in gateways.iter().enumerate() {
        for certificate in gateway.servers.iter().flat_map(certificates_of) {
            users.entry(certificate).or_default().insert(position);
        }
    }
    let problem = |(position, one)| duplicate_certificate(position, one, &gateways, &users);
    gateways.iter().copied().enumerate().filter_map(problem).collect()
}

/// One host of a port in several objects.
pub(super) fn conflicts(context: &Context<'_>) -> Vec<Diagnostic> {
    let objects = context.objects();
    let gateways = gateways(objects);
    let last = LastServers::new(&gateways);
    let mut problems = Vec::new();
    for (position, (_, gateway)) in gateways.iter().enumerate() {
        // Without pods there is nothing to share, which is told elsewhere.
        let selector = &gateway.selector;
        if selector.is_empty() || context.pods.selected_by(selector).next().is_some() {
            problems.extend(conflicting_servers(position, &gateways, &last));
        }
    }
    problems
}

/// A gateway and the object that it is.
pub(super) type Named<'a> = (&'a Object, &'a Gateway);

fn name(object: &Object) -> String {
    format!("`{}/{}`", object.namespace(), object.name())
}

/// A certificate: the name of its secret, or its files.
pub(super) type Certificate<'a> = (&'a str, &'a str, &'a str);

/// The certificates of a server.
pub(super) fn certificates_of(server: &Server) -> impl Iterator<Item = Certificate<'_>> {
    let tls = server.tls.as_ref();
    let credential = tls.map(|tls| (tls.credential_name.as_str(), "", ""));
    let files = tls.map(|tls| ("", tls.server_certificate.as_str(), tls.private_key.as_str()));
    let named = credential.filter(|(name, ..)| !name.is_empty());
    let written = files.filter(|(_, certificate, key)| !certificate.is_empty() && !key.is_empty());
    named.into_iter().chain(written)
}

/// A problem when other gateways, of the same pods or of some of them, use a certificate of this one.
fn duplicate_certificate(
    position: usize,
    (object, gateway): Named<'_>,
    all: &[Named<'_>],
    users: &BTreeMap<Certificate<'_>, BTreeSet<usize>>,
) -> Option<Diagnostic> {
    // Which other gateways use the certificate of a server, and the first such server of each.
    let mut sharing: BTreeMap<usize, usize> = BTreeMap::new();
    for (server, written) in gateway.servers.iter().enumerate() {
        for other in certificates_of(written).filter_map(|one| users.get(&one)).flatten() {
            sharing.entry(*other).or_insert(server);
        }
    }
    sharing.remove(&position);
    let mut server = None;
    let mut others = BTreeSet::new();
    let mut in_order = vec![format!("{}/{}", object.namespace(), object.name())];
    for (other, at) in sharing {
        let Some((other, with)) = all.get(other) else { continue };
        if selects(&gateway.selector, &with.selector) {
            server.get_or_insert(at);
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

fn number(server: &Server) -> u32 {
    server.port.as_ref().map_or(0, |port| port.number)
}

/// Whether two servers of one port listen at the same address for one host, as written.
fn overlap(a: &Server, b: &Server) -> bool {
    a.bind == b.bind && a.hosts.iter().any(|host| b.hosts.contains(host))
}

/// The last server of each port of each gateway, as those are what Istio compares with.
struct LastServers<'a> {
    of_port: BTreeMap<u32, Vec<usize>>,
    /// By port, address and host.
    with_host: BTreeMap<(u32, &'a str, &'a str), Vec<usize>>,
}

impl<'a> LastServers<'a> {
    fn new(gateways: &[Named<'a>]) -> Self {
        let mut last = Self { of_port: BTreeMap::new(), with_host: BTreeMap::new() };
        for (position, (_, gateway)) in gateways.iter().enumerate() {
            let by_port: BTreeMap<u32, &Server> =
                gateway.servers.iter().map(|server| (number(server), server)).collect();
            for (port, server) in by_port {
                last.of_port.entry(port).or_default().push(position);
                for host in &server.hosts {
                    let key = (port, server.bind.as_str(), host.as_str());
                    last.with_host.entry(key).or_default().push(position);
                }
            }
        }
        last
    }

    /// The gateways whose last server of the port overlaps `server`.
    fn overlapping(&self, server: &Server) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        for host in &server.hosts {
            let key = (number(server), server.bind.as_str(), host.as_str());
            found.extend(self.with_host.get(&key).into_iter().flatten());
        }
        found
    }

    fn at_port(&self, port: u32) -> BTreeSet<usize> {
        self.of_port.get(&port).into_iter().flatten().copied().collect()
    }
}

/// One problem for each server of a port whose hosts another gateway of the same pods has as well. As in Istio, only
/// the last server of the other gateway's port is looked at, and a gateway that names a host twice on one port
/// conflicts with all others there.
fn conflicting_servers(
    position: usize,
    all: &[Named<'_>],
    last: &LastServers<'_>,
) -> Vec<Diagnostic> {
    let Some((object, gateway)) = all.get(position).copied() else { return Vec::new() };
    let alike = |with: &Gateway| {
        selects(&gateway.selector, &with.selector) || selects(&with.selector, &gateway.selector)
    };
    let mut problems = Vec::new();
    let mut earlier: BTreeMap<u32, Vec<&Server>> = BTreeMap::new();
    for (index, server) in gateway.servers.iter().enumerate() {
        let own = earlier.entry(number(server)).or_default();
        let is_repeated = own.iter().any(|known| overlap(known, server));
        own.push(server);
        let candidates =
            if is_repeated { last.at_port(number(server)) } else { last.overlapping(server) };
        let conflicting: BTreeSet<String> = candidates
            .into_iter()
            .filter(|other| *other != position)
            .filter_map(|other| all.get(other))
            .filter(|(_, with)| alike(with))
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
