//! What was compiled last time, and which of it still holds.
//!
//! Everything here follows from one fact: a resource is a function of some parts of the view. Where these parts are
//! what they were, so is the resource. Nothing is remembered beyond the last view and what came of it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use pilotage_model::service::Resolution;
use pilotage_model::sidecar::EgressListener;
use pilotage_model::virtual_service::VirtualService;
use pilotage_model::{ProxyView, ServiceView};
use pilotage_proto::ResourceSet;

use crate::auto_passthrough::has_auto_passthrough;

/// A view, and what was compiled from it.
#[derive(Clone, Copy, Debug)]
pub struct Previous<'a> {
    /// The view.
    pub view: &'a ProxyView,
    /// Its resources.
    pub resources: &'a ResourceSet,
}

/// The previous resources in the light of a new view of the same proxy.
pub(crate) struct Kept<'a> {
    /// What there was.
    pub(crate) resources: &'a ResourceSet,
    /// Services with clusters that are gone or changed.
    pub(crate) gone: Vec<&'a ServiceView>,
    /// Services with clusters that are new or changed.
    fresh: HashSet<*const ServiceView>,
    /// Whether the table of names still holds.
    pub(crate) names: bool,
    /// Whether the listeners still hold.
    pub(crate) listeners: bool,
    /// Whether the route configurations still hold.
    pub(crate) routes: bool,
}

impl<'a> Kept<'a> {
    /// What still holds; nothing when settings changed on which everything depends.
    pub(crate) fn of(previous: Previous<'a>, now: &ProxyView) -> Option<Self> {
        let before = previous.view;
        let settings = before.proxy == now.proxy
            && before.mesh == now.mesh
            && before.sidecar == now.sidecar
            && has_auto_passthrough(before) == has_auto_passthrough(now);
        if !settings {
            return None;
        }
        let addresses = |view: &ProxyView| -> HashSet<*const ServiceView> {
            view.clusters.iter().map(Arc::as_ptr).collect()
        };
        let (old, new) = (addresses(before), addresses(now));
        let gone = before.clusters.iter().filter(|view| !new.contains(&Arc::as_ptr(view)));
        let clusters = same(&before.clusters, &now.clusters, same_but_endpoints);
        let services = clusters
            && before.gateways == now.gateways
            && before.gateway == now.gateway
            && before.inbound == now.inbound
            && before.accepts == now.accepts
            && same_egress(before, now);
        let rules = |alike: fn(&VirtualService, &VirtualService) -> bool| {
            let egress = before.egress.iter().zip(&now.egress);
            let mut lists = egress.map(|(a, b)| (&a.virtual_services, &b.virtual_services));
            lists.all(|(a, b)| same(a, b, alike))
                && same(&before.gateway_virtual_services, &now.gateway_virtual_services, alike)
        };
        Some(Self {
            resources: previous.resources,
            gone: gone.map(Arc::as_ref).collect(),
            fresh: new.difference(&old).copied().collect(),
            names: clusters,
            listeners: services && rules(no_rules_for_connections),
            routes: services && rules(|_, _| false),
        })
    }

    /// Whether a service is new or changed.
    pub(crate) fn is_fresh(&self, service: &Arc<ServiceView>) -> bool {
        self.fresh.contains(&Arc::as_ptr(service))
    }
}

/// Whether two lists hold the same, or what is alike.
fn same<T: PartialEq>(a: &[Arc<T>], b: &[Arc<T>], alike: impl Fn(&T, &T) -> bool) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| Arc::ptr_eq(a, b) || a == b || alike(a, b))
}

fn same_egress(before: &ProxyView, now: &ProxyView) -> bool {
    let same = |a: &EgressListener<Arc<ServiceView>>, b: &EgressListener<Arc<ServiceView>>| {
        a.written == b.written && same(&a.services, &b.services, same_but_endpoints)
    };
    before.egress.len() == now.egress.len()
        && before.egress.iter().zip(&now.egress).all(|(a, b)| same(a, b))
}

/// Whether two views of a service differ at most in endpoints. Where clients dial endpoints, names and listeners
/// depend on these too.
fn same_but_endpoints(a: &ServiceView, b: &ServiceView) -> bool {
    a.service == b.service
        && a.rule == b.rule
        && a.accepts == b.accepts
        && a.service.resolution != Resolution::Passthrough
}

/// Whether two virtual services mean nothing to connections that are not read as HTTP.
fn no_rules_for_connections(a: &VirtualService, b: &VirtualService) -> bool {
    [a, b].iter().all(|service| service.tls.is_empty() && service.tcp.is_empty())
}

/// `now`, where what equals its predecessor is the very same, so that proxies see at once what did not change.
pub(crate) fn shared(before: &ResourceSet, mut now: ResourceSet) -> ResourceSet {
    share(&before.listeners, &mut now.listeners);
    share(&before.routes, &mut now.routes);
    share(&before.clusters, &mut now.clusters);
    share(&before.endpoints, &mut now.endpoints);
    share(&before.secrets, &mut now.secrets);
    if before.names == now.names {
        now.names = Arc::clone(&before.names);
    }
    now
}

fn share<T: PartialEq>(before: &BTreeMap<String, Arc<T>>, now: &mut BTreeMap<String, Arc<T>>) {
    let mut before = before.iter().peekable();
    for (name, resource) in now {
        while before.next_if(|(old, _)| *old < name).is_some() {}
        if let Some((_, old)) = before.next_if(|(old, _)| *old == name)
            && !Arc::ptr_eq(old, resource)
            && old == resource
        {
            *resource = Arc::clone(old);
        }
    }
}
