//! The destinations of a virtual service: completion of their names, and which services they need.

use std::collections::{BTreeMap, BTreeSet};

use pilotage_config::virtual_service::{
    Destination, HttpRoute, RouteDestination, TcpRoute, TlsRoute,
};

use super::{GatewayRef, VirtualService};
use crate::host::Host;

/// How the rules of one object name hosts and gateways.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    /// The namespace of the object.
    pub namespace: &'a str,
    /// The domain of Kubernetes services.
    pub domain: &'a str,
}

impl Names<'_> {
    /// Completes destinations and gateways of an HTTP rule. Letter case of hosts stays as written.
    pub(crate) fn complete_http(self, rule: &mut HttpRoute) {
        let routes = rule.route.iter_mut().filter_map(|route| route.destination.as_mut());
        let mirrors = rule.mirrors.iter_mut().filter_map(|mirror| mirror.destination.as_mut());
        routes.chain(rule.mirror.as_deref_mut()).chain(mirrors).for_each(|to| self.destination(to));
        rule.match_.iter_mut().for_each(|block| self.gateways(&mut block.gateways));
    }

    /// The same for a TLS rule.
    pub(crate) fn complete_tls(self, rule: &mut TlsRoute) {
        self.routes(&mut rule.route);
        rule.match_.iter_mut().for_each(|block| self.gateways(&mut block.gateways));
    }

    /// The same for a TCP rule.
    pub(crate) fn complete_tcp(self, rule: &mut TcpRoute) {
        self.routes(&mut rule.route);
        rule.match_.iter_mut().for_each(|block| self.gateways(&mut block.gateways));
    }

    fn routes(self, routes: &mut [RouteDestination]) {
        let destinations = routes.iter_mut().filter_map(|route| route.destination.as_mut());
        destinations.for_each(|to| self.destination(to));
    }

    fn destination(self, destination: &mut Destination) {
        let host = Host::complete(&destination.host, self.namespace, self.domain);
        host.as_str().clone_into(&mut destination.host);
    }

    fn gateways(self, gateways: &mut [String]) {
        for gateway in gateways {
            GatewayRef::parse(gateway, self.namespace).as_str().clone_into(gateway);
        }
    }
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
            needs.add(rule.mirror.as_deref());
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
