//! Imports of a sidecar: services per egress listener, and all clusters they need.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilotage_config::sidecar::EgressListener as Written;

use super::Sidecar;
use crate::host::Host;
use crate::protocol::Protocol;
use crate::registry::{Registered, Registry};
use crate::service::Service;
use crate::virtual_service::{VirtualService, destinations};

/// One egress listener of a sidecar and what it imports. A sidecar without a `Sidecar` object has one for everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EgressListener<S> {
    /// As written, when it was: port, bind address, capture mode.
    pub written: Option<Arc<Written>>,
    /// The services, in order of age within private, exported and public ones. One host may be there several times,
    /// always of one namespace.
    pub services: Vec<S>,
    /// The virtual services for sidecars that it imports, in order of precedence.
    pub virtual_services: Vec<Arc<VirtualService>>,
}

impl<S> EgressListener<S> {
    /// The same listener with something else for each service.
    pub(crate) fn map<T>(&self, to: impl FnMut(&S) -> T) -> EgressListener<T> {
        EgressListener {
            written: self.written.clone(),
            services: self.services.iter().map(to).collect(),
            virtual_services: self.virtual_services.clone(),
        }
    }
}

/// What a sidecar sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The egress listeners in the order of the object.
    pub egress: Vec<EgressListener<Registered>>,
    /// The services of all listeners, and those their virtual services send traffic to; each host once.
    pub services: Vec<Registered>,
}

impl Scope {
    /// What a sidecar in `namespace` sees, given its `Sidecar` object and the virtual services for sidecars that are
    /// visible to the namespace.
    #[must_use]
    pub fn of_sidecar(
        registry: &Registry,
        virtual_services: &[Arc<VirtualService>],
        sidecar: Option<&Sidecar>,
        namespace: &str,
    ) -> Self {
        let written = sidecar.map(|sidecar| sidecar.spec.egress.as_slice()).unwrap_or_default();
        let mut listeners: Vec<Option<Arc<Written>>> =
            written.iter().map(|written| Some(Arc::new(written.clone()))).collect();
        if listeners.is_empty() {
            listeners.push(None);
        }
        let egress: Vec<_> = listeners
            .into_iter()
            .map(|written| import(registry, virtual_services, written, namespace))
            .collect();
        let mut union = Union::default();
        for listener in &egress {
            listener.services.iter().for_each(|service| union.add(service.clone()));
            for virtual_service in &listener.virtual_services {
                add_destinations(&mut union, registry, listener, virtual_service, namespace);
            }
        }
        Self { egress, services: union.services }
    }

    /// The services a gateway in `namespace` sees: everything visible, each host once.
    #[must_use]
    pub fn of_gateway(registry: &Registry, namespace: &str) -> Vec<Registered> {
        let mut union = Union::default();
        registry.visible(namespace).for_each(|service| union.add(service.clone()));
        union.services
    }
}

/// The hosts of an egress listener by the namespace part.
struct Wanted {
    by_namespace: BTreeMap<String, Hosts>,
    excluded: BTreeMap<String, Hosts>,
}

#[derive(Default)]
struct Hosts {
    exact: BTreeSet<Host>,
    all: Vec<Host>,
}

impl Hosts {
    fn add(&mut self, host: Host) {
        if !host.is_wildcard() {
            self.exact.insert(host.clone());
        }
        self.all.push(host);
    }

    fn covers(&self, host: &Host) -> bool {
        self.exact.contains(host)
            || self.all.iter().any(|wanted| wanted.is_wildcard() && host.subset_of(wanted))
    }
}

impl Wanted {
    fn parse(hosts: &[String], own: &str) -> Self {
        let mut wanted = Self { by_namespace: BTreeMap::new(), excluded: BTreeMap::new() };
        for text in hosts {
            let Some((namespace, name)) = text.split_once('/') else { continue };
            let (lists, namespace) = match namespace.strip_prefix('~') {
                Some(excluded) if !excluded.is_empty() => (&mut wanted.excluded, excluded),
                _ => (&mut wanted.by_namespace, namespace),
            };
            let namespace = if namespace == "." { own } else { namespace };
            lists.entry(namespace.to_owned()).or_default().add(Host::new(name));
        }
        wanted
    }

    /// The lists of hosts that count for objects of `namespace`, the more specific one first.
    fn of(&self, namespace: &str) -> impl Iterator<Item = &Hosts> {
        [self.by_namespace.get(namespace), self.by_namespace.get("*")].into_iter().flatten()
    }

    /// Whether the host of this namespace is left out of wider imports.
    fn excludes(&self, namespace: &str, host: &Host) -> bool {
        self.excluded.get(namespace).is_some_and(|hosts| hosts.covers(host))
    }
}

fn import(
    registry: &Registry,
    virtual_services: &[Arc<VirtualService>],
    written: Option<Arc<Written>>,
    namespace: &str,
) -> EgressListener<Registered> {
    let everything = ["*/*".to_owned()];
    let hosts = written.as_ref().map_or(everything.as_slice(), |written| &written.hosts);
    let wanted = Wanted::parse(hosts, namespace);
    let port = written.as_deref().and_then(matched_port);
    let mut services: Vec<Registered> = Vec::new();
    for registered in registry.visible(namespace) {
        let service = &registered.service;
        if wanted.excludes(&service.namespace, &service.host) {
            continue;
        }
        for hosts in wanted.of(&service.namespace) {
            if !hosts.covers(&service.host) {
                continue;
            }
            let Some(service) = at_port(service, port) else { continue };
            let service = with_aliases(service, hosts);
            services.push(Registered { service, endpoints: Arc::clone(&registered.endpoints) });
            break;
        }
    }
    keep_one_namespace(&mut services, namespace);
    let imported = virtual_services.iter().filter(|virtual_service| {
        let namespace = &virtual_service.namespace;
        let excluded = |host| wanted.excludes(namespace, host);
        !virtual_service.hosts.iter().all(excluded)
            && wanted.of(namespace).any(|hosts| imports(hosts, virtual_service))
    });
    EgressListener { virtual_services: imported.cloned().collect(), written, services }
}

/// Whether one host of the virtual service and one of the listener can mean the same.
fn imports(hosts: &Hosts, virtual_service: &VirtualService) -> bool {
    virtual_service.hosts.iter().any(|host| {
        hosts.exact.contains(host) || hosts.all.iter().any(|wanted| wanted.matches(host))
    })
}

/// The port to which a listener limits services; a listener for an explicit HTTP proxy takes all.
fn matched_port(written: &Written) -> Option<u16> {
    let port = written.port.as_ref()?;
    let number = u16::try_from(port.number).ok().filter(|number| *number > 0)?;
    (Protocol::parse(&port.protocol) != Protocol::HttpProxy).then_some(number)
}

/// The service limited to one port; nothing when it does not have it.
fn at_port(service: &Arc<Service>, port: Option<u16>) -> Option<Arc<Service>> {
    let Some(port) = port else { return Some(Arc::clone(service)) };
    service.port(port)?;
    if service.ports.len() == 1 {
        return Some(Arc::clone(service));
    }
    Some(Arc::new(service.with_ports(|candidate| candidate.number == port)))
}

/// The service limited to the aliases that are imported.
fn with_aliases(service: Arc<Service>, hosts: &Hosts) -> Arc<Service> {
    if service.aliases.iter().all(|alias| hosts.covers(&alias.host)) {
        return service;
    }
    let mut limited = (*service).clone();
    limited.aliases.retain(|alias| hosts.covers(&alias.host));
    Arc::new(limited)
}

/// Keeps each host of one namespace only: the client's own, else that of a Kubernetes service, else the first.
fn keep_one_namespace(services: &mut Vec<Registered>, own: &str) {
    let mut winners: BTreeMap<Host, (Arc<str>, bool)> = BTreeMap::new();
    for service in services.iter().map(|registered| &registered.service) {
        let candidate = (Arc::clone(&service.namespace), service.is_kubernetes());
        match winners.get_mut(&service.host) {
            None => {
                winners.insert(service.host.clone(), candidate);
            }
            Some(winner) => {
                let (namespace, kubernetes) = (&*winner.0, winner.1);
                let better = !kubernetes && candidate.1 && namespace != own;
                if &*candidate.0 == own || better {
                    *winner = candidate;
                }
            }
        }
    }
    services.retain(|registered| {
        let service = &registered.service;
        winners.get(&service.host).is_some_and(|(namespace, _)| *namespace == service.namespace)
    });
}

/// Adds the services that a virtual service sends traffic to, even where no listener imports them.
fn add_destinations(
    union: &mut Union,
    registry: &Registry,
    listener: &EgressListener<Registered>,
    virtual_service: &VirtualService,
    namespace: &str,
) {
    let port = listener.written.as_deref().and_then(matched_port);
    for (host, ports) in destinations::needed(virtual_service, namespace) {
        let Some(found) = registry.destination(&host, namespace) else { continue };
        let service = match port {
            Some(_) => at_port(&found.service, port),
            None => at_ports(&found.service, &ports),
        };
        if let Some(service) = service {
            union.add(Registered { service, endpoints: Arc::clone(&found.endpoints) });
        }
    }
}

/// The service limited to the ports that are needed; nothing when it has none of them.
fn at_ports(service: &Arc<Service>, ports: &BTreeSet<u16>) -> Option<Arc<Service>> {
    if ports.is_empty() || service.ports.iter().all(|port| ports.contains(&port.number)) {
        return Some(Arc::clone(service));
    }
    let limited = service.with_ports(|port| ports.contains(&port.number));
    (!limited.ports.is_empty()).then(|| Arc::new(limited))
}

/// Services with each host once.
#[derive(Default)]
struct Union {
    services: Vec<Registered>,
    by_host: BTreeMap<Host, usize>,
}

impl Union {
    /// Adds a service. The first of a host counts, but one of Kubernetes replaces others, and ports of a like
    /// declaration in the same namespace are added.
    fn add(&mut self, registered: Registered) {
        let service = &registered.service;
        let Some(known) = self.by_host.get(&service.host).and_then(|at| self.services.get_mut(*at))
        else {
            self.by_host.insert(service.host.clone(), self.services.len());
            self.services.push(registered);
            return;
        };
        let existing = &known.service;
        if Arc::ptr_eq(existing, service) || existing.is_kubernetes() && !service.is_kubernetes() {
            return;
        }
        if !existing.is_kubernetes() && service.is_kubernetes() {
            *known = registered;
        } else if existing.ports != service.ports && alike(existing, service) {
            let mut merged = (**existing).clone();
            for port in &service.ports {
                if merged.port(port.number).is_none() {
                    merged.ports.push(port.clone());
                }
            }
            known.service = Arc::new(merged);
        }
    }
}

/// Whether two declarations of a host are parts of one.
fn alike(a: &Service, b: &Service) -> bool {
    a.namespace == b.namespace
        && a.resolution == b.resolution
        && a.registry == b.registry
        && a.labels == b.labels
        && a.selector == b.selector
        && a.visibility == b.visibility
}
