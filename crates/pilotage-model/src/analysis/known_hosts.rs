//! The hosts that services and service entries declare, and who sees them.

use std::collections::BTreeMap;

use pilotage_config::kubernetes::service as kubernetes;
use pilotage_config::object::{Kind, Object};
use pilotage_config::service_entry::ServicePort;

use super::{EVERYBODY, full_name, scopes};
use crate::protocol::Protocol;

/// The annotation by which a Kubernetes service says who sees it.
const EXPORT_TO: &str = "networking.istio.io/exportTo";

/// The ports of a host.
pub(super) type Ports = Vec<KnownPort>;

/// A port of a host.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownPort {
    /// Its number.
    pub number: u32,
    /// Whether HTTP rules may apply there.
    pub is_http: bool,
}

/// Hosts by scope and name: a scope is a namespace, or everybody.
#[derive(Debug, Default)]
pub(super) struct KnownHosts {
    exact: BTreeMap<(String, String), Ports>,
    /// Suffixes of wildcard hosts.
    wildcards: Vec<(String, String, Ports)>,
}

impl KnownHosts {
    /// The hosts of all service entries and Kubernetes services; the latter count where both declare a host.
    pub(super) fn new(objects: &[&Object]) -> Self {
        let mut known = Self::default();
        for object in objects {
            let Kind::ServiceEntry(entry) = &object.body else { continue };
            let spec = &entry.spec;
            let port = |port: &ServicePort| {
                let protocol = Protocol::parse(&port.protocol);
                let is_http = protocol.is_http() || protocol.is_auto();
                KnownPort { number: port.number, is_http }
            };
            let ports: Ports = spec.ports.iter().map(port).collect();
            let export_to = spec.export_to.iter().map(String::as_str);
            for scope in scopes(export_to, object.namespace()) {
                for host in &spec.hosts {
                    known.add(scope, full_name(host, object.namespace()), ports.clone());
                }
            }
        }
        for object in objects {
            let Kind::Service(service) = &object.body else { continue };
            let port = |port: &kubernetes::ServicePort| {
                let protocol = protocol_of(port);
                let is_http = protocol.is_http() || protocol.is_auto();
                KnownPort { number: port.port, is_http }
            };
            let ports: Ports = service.spec.ports.iter().map(port).collect();
            let list = object.meta.annotations.get(EXPORT_TO).map_or(EVERYBODY, String::as_str);
            for scope in scopes(list.split(',').map(str::trim), object.namespace()) {
                known.add(scope, full_name(object.name(), object.namespace()), ports.clone());
            }
        }
        known
    }

    fn add(&mut self, scope: &str, host: String, ports: Ports) {
        if let Some(suffix) = host.strip_prefix('*') {
            self.wildcards.push((scope.to_owned(), suffix.to_owned(), ports.clone()));
        }
        self.exact.insert((scope.to_owned(), host), ports);
    }

    /// The ports of `host` as a virtual service of `namespace` means it; nothing when it does not see the host.
    pub(super) fn ports(&self, host: &str, namespace: &str) -> Option<&Ports> {
        let name = full_name(host, namespace);
        let exact = |scope: &str| self.exact.get(&(scope.to_owned(), name.clone()));
        exact(namespace).or_else(|| exact(EVERYBODY)).or_else(|| {
            let wanted = host.strip_prefix('*').unwrap_or(host);
            let seen = self.wildcards.iter().find(|(scope, suffix, _)| {
                (scope == EVERYBODY || scope == namespace) && wanted.ends_with(suffix.as_str())
            });
            seen.map(|(_, _, ports)| ports)
        })
    }
}

/// What a port of a Kubernetes service speaks, as far as it is declared.
pub(super) fn protocol_of(port: &kubernetes::ServicePort) -> Protocol {
    let number = u16::try_from(port.port).unwrap_or(0);
    let app = (!port.app_protocol.is_empty()).then_some(port.app_protocol.as_str());
    Protocol::of_kubernetes_port(&port.protocol, number, &port.name, app)
}
