//! What one proxy needs of a snapshot: everything that its resources are compiled from, and nothing else.

use std::collections::HashMap;
use std::sync::Arc;

use pilotage_config::security::MutualTlsMode;

use crate::destination_rule::DestinationRule;
use crate::gateway::{self, Gateway, MergedGateway};
use crate::host::Host;
use crate::inbound::Inbound;
use crate::mesh::Mesh;
use crate::peer_authentication::WorkloadMtls;
use crate::proxy::ProxyClass;
use crate::registry::{Endpoints, Registered};
use crate::secrets::{self, ConfigMaps, Secrets};
use crate::service::Service;
use crate::sidecar::{EgressListener, Scope, Sidecar};
use crate::snapshot::Snapshot;
use crate::virtual_service::{self, VirtualService};
use crate::workloads::labelled_locality;

/// All that the resources of a proxy are compiled from. Equal views compile to equal resources.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProxyView {
    /// Who asks, completed with what is known about its workload.
    pub proxy: ProxyClass,
    /// The settings of the mesh.
    pub mesh: Arc<Mesh>,
    /// The `Sidecar` object that applies, if any.
    pub sidecar: Option<Arc<Sidecar>>,
    /// What a sidecar's egress listeners import; empty for gateways.
    pub egress: Vec<EgressListener<Arc<ServiceView>>>,
    /// The services there are clusters for, each host once.
    pub clusters: Vec<Arc<ServiceView>>,
    /// The `Gateway` objects that a gateway serves, oldest first; empty for sidecars.
    pub gateways: Vec<Arc<Gateway>>,
    /// What those objects open together.
    pub gateway: MergedGateway,
    /// For gateways: the virtual services that its namespace sees, in order of precedence.
    pub gateway_virtual_services: Vec<Arc<VirtualService>>,
    /// What comes in at a sidecar; for gateways the services whose ports it takes.
    pub inbound: Inbound,
    /// What the proxy's workload accepts.
    pub accepts: WorkloadMtls,
    /// The secrets of the proxy's namespace.
    pub secrets: Secrets,
    /// Authorities that credential names may mean.
    pub config_maps: ConfigMaps,
    by_host: Vec<usize>,
}

/// A service as one client sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServiceView {
    /// The service.
    pub service: Arc<Service>,
    /// Its endpoints.
    pub endpoints: Arc<Endpoints>,
    /// The destination rule that the client uses for it.
    pub rule: Option<Arc<DestinationRule>>,
    /// What its namespace accepts unless single workloads are selected.
    pub accepts: MutualTlsMode,
}

impl ProxyView {
    /// The service of this host among those with clusters.
    #[must_use]
    pub fn service(&self, host: &str) -> Option<&Arc<ServiceView>> {
        let at = self
            .by_host
            .binary_search_by(|index| {
                self.clusters.get(*index).map_or("", |view| view.service.host.as_str()).cmp(host)
            })
            .ok()?;
        self.clusters.get(*self.by_host.get(at)?)
    }
}

/// What `proxy` needs of `snapshot`. Where `proxy` leaves something open and one of its addresses is that of a
/// workload, that workload tells.
#[must_use]
pub fn view(snapshot: &Snapshot, proxy: &ProxyClass) -> Arc<ProxyView> {
    view_after(None, snapshot, proxy)
}

/// The same, sharing with `previous` the services that did not change.
#[must_use]
pub fn view_after(
    previous: Option<&ProxyView>,
    snapshot: &Snapshot,
    proxy: &ProxyClass,
) -> Arc<ProxyView> {
    let proxy = completed(snapshot, proxy);
    let namespace = Arc::clone(&proxy.namespace);
    let sidecar = proxy
        .is_sidecar()
        .then(|| snapshot.sidecars.of(&namespace, &proxy.labels).cloned())
        .flatten();
    let mut views = Views::of(previous);
    let mut wrap =
        |registered: &Registered| views.shared(service_view(snapshot, &proxy, registered));
    let visible = |wanted: &dyn Fn(&VirtualService) -> bool| -> Vec<Arc<VirtualService>> {
        let found = virtual_service::visible(&snapshot.virtual_services, &namespace, wanted);
        found.into_iter().cloned().collect()
    };
    let mut egress = Vec::new();
    let mut gateway_virtual_services = Vec::new();
    let clusters: Vec<Arc<ServiceView>> = if proxy.is_sidecar() {
        let for_mesh = visible(&VirtualService::is_for_mesh);
        let scope =
            Scope::of_sidecar(&snapshot.registry, &for_mesh, sidecar.as_deref(), &namespace);
        egress = scope.egress.iter().map(|listener| listener.map(&mut wrap)).collect();
        scope.services.iter().map(wrap).collect()
    } else {
        gateway_virtual_services = visible(&|_| true);
        Scope::of_gateway(&snapshot.registry, &namespace).iter().map(wrap).collect()
    };
    let gateways = if proxy.is_sidecar() {
        Vec::new()
    } else {
        gateway::serving(&snapshot.gateways, &proxy.labels)
    };
    let mut by_host: Vec<usize> = (0..clusters.len()).collect();
    let host = |index: &usize| -> Option<Host> {
        clusters.get(*index).map(|view| view.service.host.clone())
    };
    by_host.sort_by_cached_key(host);
    let inbound = Inbound::of(snapshot, &proxy);
    Arc::new(ProxyView {
        gateway: MergedGateway::merge(&gateways, &inbound),
        inbound,
        accepts: snapshot.peer_authentications.of_workload(&namespace, &proxy.labels),
        mesh: Arc::clone(&snapshot.mesh),
        sidecar,
        egress,
        clusters,
        gateways,
        gateway_virtual_services,
        secrets: secrets::of_namespace(&snapshot.objects, &namespace),
        config_maps: secrets::config_maps(&snapshot.objects),
        proxy,
        by_host,
    })
}

/// Views of services, of which equal ones are one.
#[derive(Default)]
struct Views {
    by_host: HashMap<Host, Vec<Arc<ServiceView>>>,
}

impl Views {
    fn of(previous: Option<&ProxyView>) -> Self {
        let mut views = Self::default();
        let Some(previous) = previous else { return views };
        let imported = previous.egress.iter().flat_map(|listener| &listener.services);
        for view in imported.chain(&previous.clusters) {
            let known = views.by_host.entry(view.service.host.clone()).or_default();
            if known.iter().all(|known| !Arc::ptr_eq(known, view)) {
                known.push(Arc::clone(view));
            }
        }
        views
    }

    /// `view`, or the equal one that there is already.
    fn shared(&mut self, view: ServiceView) -> Arc<ServiceView> {
        let known = self.by_host.entry(view.service.host.clone()).or_default();
        if let Some(known) = known.iter().find(|known| ***known == view) {
            return Arc::clone(known);
        }
        let view = Arc::new(view);
        known.push(Arc::clone(&view));
        view
    }
}

fn service_view(snapshot: &Snapshot, proxy: &ProxyClass, registered: &Registered) -> ServiceView {
    let service = &registered.service;
    let rules = &snapshot.destination_rules;
    let choice = rules.choice(&proxy.namespace, &service.host, &service.namespace);
    ServiceView {
        service: Arc::clone(service),
        endpoints: Arc::clone(&registered.endpoints),
        rule: choice.outbound(&proxy.namespace, &proxy.labels).cloned(),
        accepts: snapshot.peer_authentications.of_namespace(&service.namespace),
    }
}

/// Fills what `proxy` leaves open from the workload at its address.
fn completed(snapshot: &Snapshot, proxy: &ProxyClass) -> ProxyClass {
    let mut proxy = proxy.clone();
    let workloads = &snapshot.workloads;
    let of_mesh = snapshot.mesh.interception().filter(|_| proxy.is_sidecar());
    let found = proxy.addresses.iter().find_map(|ip| workloads.at(*ip, &proxy.namespace)).cloned();
    let Some(instance) = found else {
        if let Some(locality) = labelled_locality(&proxy.labels) {
            proxy.locality = locality;
        }
        proxy.interception = proxy.interception.or(of_mesh);
        return proxy;
    };
    let workload = &instance.workload;
    // As on Istio, who says its labels says its place among them or has none.
    let says_where = !proxy.labels.is_empty();
    fill(&mut proxy.labels, &instance.labels);
    match labelled_locality(&proxy.labels) {
        Some(locality) => fill(&mut proxy.locality, &locality),
        None if says_where => {}
        None => fill(&mut proxy.locality, &workload.locality),
    }
    fill(&mut proxy.namespace, &workload.namespace);
    fill(&mut proxy.service_account, &instance.service_account);
    fill(&mut proxy.node, &workload.node);
    fill(&mut proxy.network, &workload.network);
    proxy.interception = proxy.interception.or(instance.interception).or(of_mesh);
    for address in &instance.addresses {
        if !proxy.addresses.contains(address) {
            proxy.addresses.push(*address);
        }
    }
    proxy
}

/// Takes `known` for what is still empty.
fn fill<T: Clone + Default + PartialEq>(open: &mut T, known: &T) {
    if *open == T::default() {
        open.clone_from(known);
    }
}
