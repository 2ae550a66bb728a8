//! The destinations of a virtual service: completion of their names, and which services they need.

use std::collections::{BTreeMap, BTreeSet};

use pilotage_config::virtual_service::{Destination, HttpRoute, RouteDestination};

use super::VirtualService;
use crate::host::Host;

/// Completes the destination hosts of an HTTP rule. Letter case stays as written.
pub fn complete_http(mut rule: HttpRoute, complete: &impl Fn(&str) -> Host) -> HttpRoute {
    for destination in rule.route.iter_mut().filter_map(|route| route.destination.as_mut()) {
        complete_one(destination, complete);
    }
    if let Some(mirror) = &mut rule.mirror {
        complete_one(mirror, complete);
    }
    for mirror in rule.mirrors.iter_mut().filter_map(|mirror| mirror.destination.as_mut()) {
        complete_one(mirror, complete);
    }
    rule
}

/// Completes the destination hosts of TCP and TLS rules.
pub fn complete_routes(routes: &mut [RouteDestination], complete: &impl Fn(&str) -> Host) {
    for destination in routes.iter_mut().filter_map(|route| route.destination.as_mut()) {
        complete_one(destination, complete);
    }
}

fn complete_one(destination: &mut Destination, complete: &impl Fn(&str) -> Host) {
    destination.host = complete(&destination.host).as_str().to_owned();
}

/// The ports of a host that rules send traffic to; empty means all of them.
pub type NeededPorts = BTreeSet<u16>;

/// The hosts that clients of `namespace` may be sent to, with the ports they need.
///
/// Rules that only other namespaces match do not count.
#[must_use]
pub fn needed(service: &VirtualService, namespace: &str) -> BTreeMap<Host, NeededPorts> {
    let mut needs = Needs::default();
    let mine = |of: &str| of.is_empty() || of == namespace;
    for rule in service.http.iter().map(|rule| &rule.rule) {
        if rule.match_.is_empty() || rule.match_.iter().any(|m| mine(&m.source_namespace)) {
            rule.route.iter().for_each(|route| needs.add(route.destination.as_ref()));
            needs.add(rule.mirror.as_ref());
            rule.mirrors.iter().for_each(|mirror| needs.add(mirror.destination.as_ref()));
        }
    }
    for rule in service.tcp.iter().map(|rule| &rule.rule) {
        if rule.match_.is_empty() || rule.match_.iter().any(|m| mine(&m.source_namespace)) {
            rule.route.iter().for_each(|route| needs.add(route.destination.as_ref()));
        }
    }
    for rule in service.tls.iter().map(|rule| &rule.rule) {
        if rule.match_.is_empty() || rule.match_.iter().any(|m| mine(&m.source_namespace)) {
            rule.route.iter().for_each(|route| needs.add(route.destination.as_ref()));
        }
    }
    needs.finish()
}

#[derive(Default)]
struct Needs {
    ports: BTreeMap<Host, NeededPorts>,
    whole: BTreeSet<Host>,
}

impl Needs {
    fn add(&mut self, destination: Option<&Destination>) {
        let Some(destination) = destination else { return };
        let host = Host::new(&destination.host);
        let port = destination.port.as_ref().map_or(0, |port| port.number);
        match u16::try_from(port) {
            Ok(port) if port > 0 => {
                self.ports.entry(host).or_default().insert(port);
            }
            _ => {
                self.whole.insert(host);
            }
        }
    }

    fn finish(mut self) -> BTreeMap<Host, NeededPorts> {
        self.ports.extend(self.whole.into_iter().map(|host| (host, NeededPorts::new())));
        self.ports
    }
}
