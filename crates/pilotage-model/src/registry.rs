//! All services with their endpoints, found by host and by who sees them.

mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilotage_config::object::{Kind, KindName, Object};
use pilotage_config::security::MutualTlsMode;

use self::sources::Source;
pub(crate) use self::sources::Surroundings;
use crate::endpoint::Endpoint;
use crate::host::Host;
use crate::mesh::Mesh;
use crate::peer_authentication::PeerAuthentications;
use crate::service::{self, Service, kubernetes as kubernetes_service, service_entry};
use crate::visibility::Visibility;
use crate::visibility::limits::{Limits, limit};

/// The kinds that services and endpoints are made of.
pub(crate) const KINDS: [KindName; 9] = [
    KindName::Service,
    KindName::ServiceEntry,
    KindName::Endpoints,
    KindName::EndpointSlice,
    KindName::Namespace,
    KindName::PeerAuthentication,
    KindName::Pod,
    KindName::WorkloadEntry,
    KindName::Node,
];

/// A service and what is known about its host in its namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Registered {
    /// The service.
    pub service: Arc<Service>,
    /// The endpoints of its host in its namespace, of all objects that declare it.
    pub endpoints: Arc<Endpoints>,
}

/// The endpoints of one host in one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Endpoints {
    /// All endpoints of all ports.
    pub all: Vec<Endpoint>,
    /// The identities of endpoints and objects, sorted, with the aliases of the trust domain.
    pub identities: Vec<Arc<str>>,
}

/// All services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    /// Oldest first.
    services: Vec<Registered>,
    by_host: BTreeMap<Host, BTreeMap<Arc<str>, usize>>,
    public: Vec<usize>,
    private: BTreeMap<Arc<str>, Vec<usize>>,
    exported: BTreeMap<Arc<str>, Vec<usize>>,
    sources: BTreeMap<sources::Key, Source>,
}

impl Registry {
    /// Collects the services of all objects and finds their endpoints. What has the same sources in `previous`, which
    /// was made of the same mesh, is shared with it; `in_place` says that workloads and policies are the same as well.
    #[must_use]
    pub(crate) fn build(
        objects: &[Arc<Object>],
        around: Surroundings<'_>,
        previous: Option<&Self>,
        in_place: bool,
    ) -> Self {
        let services: Vec<Arc<Service>> = declared(objects, around.mesh)
            .into_iter()
            .map(|service| sources::shared(service, previous))
            .collect();
        let reusable = previous.filter(|_| in_place);
        let mut registry = Self {
            sources: sources::collect(objects, &services, around, reusable),
            ..Self::default()
        };
        for service in services {
            let key = (service.host.clone(), Arc::clone(&service.namespace));
            let source = registry.sources.get(&key);
            let endpoints = source.map(|source| Arc::clone(&source.endpoints)).unwrap_or_default();
            registry.add(Registered { service, endpoints });
        }
        registry
    }

    fn add(&mut self, registered: Registered) {
        let index = self.services.len();
        let service = &registered.service;
        let of_host = self.by_host.entry(service.host.clone()).or_default();
        let known = of_host.get(&service.namespace).and_then(|known| self.services.get(*known));
        // The oldest declaration counts, but one of Kubernetes always wins.
        if known.is_none_or(|known| !known.service.is_kubernetes() && service.is_kubernetes()) {
            of_host.insert(Arc::clone(&service.namespace), index);
        }
        match &service.visibility {
            Visibility::Public => self.public.push(index),
            Visibility::Private => {
                self.private.entry(Arc::clone(&service.namespace)).or_default().push(index)
            }
            Visibility::Namespaces(namespaces) => {
                for namespace in namespaces {
                    let own = *namespace == service.namespace;
                    let group = if own { &mut self.private } else { &mut self.exported };
                    group.entry(Arc::clone(namespace)).or_default().push(index);
                }
            }
            Visibility::None => {}
        }
        self.services.push(registered);
    }

    /// All services, oldest first.
    #[must_use]
    pub fn all(&self) -> &[Registered] {
        &self.services
    }

    /// The services that `namespace` sees: private ones, those exported to it, public ones; oldest first within each.
    pub fn visible(&self, namespace: &str) -> impl Iterator<Item = &Registered> {
        let group = |group: Option<&'_ Vec<usize>>| group.cloned().unwrap_or_default();
        let private = group(self.private.get(namespace));
        let exported = group(self.exported.get(namespace));
        let indexes = private.into_iter().chain(exported).chain(self.public.iter().copied());
        indexes.filter_map(|index| self.services.get(index))
    }

    /// The service that a destination of a client in `namespace` means, although the client does not import it: that
    /// of its own namespace, else of the first namespace that it sees.
    #[must_use]
    pub fn destination(&self, host: &Host, namespace: &str) -> Option<&Registered> {
        let of_host = self.by_host.get(host)?;
        if let Some(own) = of_host.get(namespace) {
            return self.services.get(*own);
        }
        let mut all = of_host.values().filter_map(|index| self.services.get(*index));
        all.find(|found| {
            let service = &found.service;
            service.visibility.visible_in(&service.namespace, namespace)
        })
    }

    /// The service of this host in this namespace.
    #[must_use]
    pub fn get(&self, host: &Host, namespace: &str) -> Option<&Registered> {
        self.services.get(*self.by_host.get(host)?.get(namespace)?)
    }
}

/// All declared services, oldest first.
fn declared(objects: &[Arc<Object>], mesh: &Mesh) -> Vec<Service> {
    let namespaces: BTreeMap<&str, _> = objects
        .iter()
        .filter(|object| matches!(object.body, Kind::Namespace(_)))
        .filter_map(|object| {
            Some((object.name(), kubernetes_service::annotated_distribution(object)?))
        })
        .collect();
    let limits = Limits::new(objects, mesh);
    let mut services: Vec<Service> = Vec::new();
    for object in objects {
        match &object.body {
            Kind::Service(written) => {
                let distribution = namespaces.get(object.namespace()).copied();
                services.push(kubernetes_service::convert(object, written, distribution, mesh));
            }
            Kind::ServiceEntry(entry) => {
                let cap = limits.of(object);
                let declared = service_entry::convert(object, entry, mesh).into_iter();
                services.extend(declared.map(|mut service| {
                    service.visibility = limit(service.visibility, cap, &service.namespace);
                    service
                }));
            }
            _ => {}
        }
    }
    services.sort_by_cached_key(|service| {
        (service.age, format!("{}.{}", service.name, service.namespace))
    });
    service::kubernetes::resolve_aliases(&mut services);
    services
}

/// `ns/NAMESPACE/sa/ACCOUNT` of an identity of that form, of whatever trust domain.
fn within_trust_domain(identity: &str) -> Option<&str> {
    let (_, rest) = identity.strip_prefix("spiffe://")?.split_once('/')?;
    let mut parts = rest.split('/');
    let kinds = (parts.next()?, parts.next(), parts.next()?, parts.next());
    let known = matches!(kinds, ("ns", Some(_), "sa", Some(_))) && parts.next().is_none();
    known.then_some(rest)
}

impl Endpoints {
    fn add(&mut self, service: &Service, found: Vec<Endpoint>) {
        let identities = found.iter().map(|endpoint| Arc::clone(&endpoint.workload.identity));
        self.identities.extend(identities.filter(|identity| !identity.is_empty()));
        let names = service.subject_alt_names.iter();
        self.identities.extend(names.map(|name| Arc::from(name.as_str())));
        self.all.extend(found);
    }

    fn finish(&mut self, policies: &PeerAuthentications, mesh: &Mesh) {
        let aliases = &mesh.config().trust_domain_aliases;
        let mut identities: BTreeSet<Arc<str>> = BTreeSet::new();
        for identity in self.identities.drain(..) {
            if let Some(rest) = within_trust_domain(&identity) {
                let aliases = aliases.iter();
                identities.extend(aliases.map(|alias| format!("spiffe://{alias}/{rest}").into()));
            }
            identities.insert(identity);
        }
        self.identities = identities.into_iter().collect();
        for endpoint in &mut self.all {
            let workload = &endpoint.workload;
            let mtls = policies.of_workload(&workload.namespace, &workload.labels);
            endpoint.plaintext_only = mtls.of_port(endpoint.port) == MutualTlsMode::Disable;
        }
    }
}

#[cfg(test)]
mod tests;
