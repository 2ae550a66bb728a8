//! What services and endpoints are made of, so that the next registry finds those that did not change.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilotage_config::object::{Kind, Object, ServiceEntryObject};

use super::{Endpoints, Registry};
use crate::endpoint::kubernetes::Slices;
use crate::endpoint::{Endpoint, service_entry};
use crate::host::Host;
use crate::mesh::Mesh;
use crate::peer_authentication::PeerAuthentications;
use crate::service::Service;
use crate::workloads::Workloads;

/// A host in a namespace.
pub(super) type Key = (Host, Arc<str>);

/// The declarations of one host in one namespace, each with the objects that list its endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Source {
    declared: Vec<(Arc<Service>, Vec<Kind>)>,
    /// What came of them.
    pub(super) endpoints: Arc<Endpoints>,
}

/// All that endpoints are made of besides services.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    /// Pods and `WorkloadEntry` objects.
    pub(crate) workloads: &'a Workloads,
    /// What workloads accept.
    pub(crate) policies: &'a PeerAuthentications,
    /// The settings of the mesh.
    pub(crate) mesh: &'a Mesh,
}

/// The objects that list endpoints.
struct Listings<'a> {
    slices: Slices<'a>,
    entries: BTreeMap<(&'a str, &'a str), (&'a Object, &'a ServiceEntryObject)>,
}

impl<'a> Listings<'a> {
    fn new(objects: &'a [Arc<Object>]) -> Self {
        let entries = objects.iter().filter_map(|object| match &object.body {
            Kind::ServiceEntry(entry) => {
                Some(((object.namespace(), object.name()), (&**object, &**entry)))
            }
            _ => None,
        });
        Self { entries: entries.collect(), slices: Slices::build(objects) }
    }

    /// The objects that list the endpoints of a service.
    fn of(&self, service: &Service) -> Vec<Kind> {
        if service.is_kubernetes() {
            return self.slices.listing(service);
        }
        let entry = self.entry(service).map(|(object, _)| object.body.clone());
        entry.into_iter().collect()
    }

    fn endpoints(&self, service: &Service, around: Surroundings<'_>) -> Vec<Endpoint> {
        let Surroundings { workloads, mesh, .. } = around;
        if service.is_kubernetes() {
            return self.slices.of(service, workloads);
        }
        let entry = self.entry(service);
        entry.map(|(_, e)| service_entry::of(service, e, workloads, mesh)).unwrap_or_default()
    }

    fn entry(&self, service: &Service) -> Option<(&'a Object, &'a ServiceEntryObject)> {
        self.entries.get(&(&*service.namespace, &*service.object_name)).copied()
    }
}

/// The sources of all services. With a registry that was made in the same surroundings, what has the same sources as
/// there is taken from it.
pub(super) fn collect(
    objects: &[Arc<Object>],
    services: &[Arc<Service>],
    around: Surroundings<'_>,
    previous: Option<&Registry>,
) -> BTreeMap<Key, Source> {
    let listings = Listings::new(objects);
    let mut sources: BTreeMap<Key, Source> = BTreeMap::new();
    for service in services {
        let key = (service.host.clone(), Arc::clone(&service.namespace));
        let declared = &mut sources.entry(key).or_default().declared;
        declared.push((Arc::clone(service), listings.of(service)));
    }
    for (key, source) in &mut sources {
        let known = previous.and_then(|previous| previous.sources.get(key));
        source.endpoints = match known.filter(|known| known.declared == source.declared) {
            Some(known) => Arc::clone(&known.endpoints),
            None => {
                let mut endpoints = Endpoints::default();
                for (service, _) in &source.declared {
                    endpoints.add(service, listings.endpoints(service, around));
                }
                endpoints.finish(around.policies, around.mesh);
                Arc::new(endpoints)
            }
        };
    }
    sources
}

/// `service`, or the equal one of `previous`.
pub(super) fn shared(service: Service, previous: Option<&Registry>) -> Arc<Service> {
    let key = (service.host.clone(), Arc::clone(&service.namespace));
    let known = previous.and_then(|previous| previous.sources.get(&key));
    let mut known = known.into_iter().flat_map(|known| &known.declared);
    match known.find(|(known, _)| **known == service) {
        Some((known, _)) => Arc::clone(known),
        None => Arc::new(service),
    }
}
