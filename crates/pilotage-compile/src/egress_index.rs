//! Lookups in one egress listener, made once for all its route configurations: services by port and host, virtual
//! services by host.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilotage_model::ServiceView;
use pilotage_model::sidecar::EgressListener;
use pilotage_model::virtual_service::VirtualService;
use pilotage_model::virtual_service::hosts::MeshHosts;

use crate::place::Services;

/// What one egress listener serves.
#[derive(Debug)]
pub(crate) struct EgressIndex<'a> {
    listener: &'a EgressListener<Arc<ServiceView>>,
    by_port: BTreeMap<u16, Services<'a>>,
    all: Services<'a>,
    hosts: MeshHosts,
    nothing: Services<'a>,
}

impl<'a> EgressIndex<'a> {
    /// Indexes `listener`.
    pub(crate) fn new(listener: &'a EgressListener<Arc<ServiceView>>) -> Self {
        let mut by_port: BTreeMap<u16, Services<'a>> = BTreeMap::new();
        let mut all = Services::new();
        for view in &listener.services {
            let view: &'a ServiceView = view;
            let host = view.service.host.as_str().to_ascii_lowercase();
            // Of several services of one host the youngest that has a port serves it.
            for port in &view.service.ports {
                by_port.entry(port.number).or_default().insert(host.clone(), view);
            }
            all.insert(host, view);
        }
        let hosts = MeshHosts::new(&listener.virtual_services);
        Self { listener, by_port, all, hosts, nothing: Services::new() }
    }

    /// The listener.
    pub(crate) fn listener(&self) -> &'a EgressListener<Arc<ServiceView>> {
        self.listener
    }

    /// The virtual services, in the order in which they win.
    pub(crate) fn virtual_services(&self) -> &'a [Arc<VirtualService>] {
        &self.listener.virtual_services
    }

    /// The services that have `port`; all of them for 0.
    pub(crate) fn services(&self, port: u16) -> &Services<'a> {
        if port == 0 { &self.all } else { self.by_port.get(&port).unwrap_or(&self.nothing) }
    }

    /// The virtual service whose hosts are closest to `host`.
    pub(crate) fn owner(&self, host: &str) -> Option<usize> {
        self.hosts.closest(host)
    }

    /// The virtual services that have a say about one of `services`, in the order in which they win.
    pub(crate) fn concerning(&self, services: &Services<'_>) -> Vec<usize> {
        let concerned = |service: &VirtualService| {
            service.mesh_hosts.iter().any(|host| {
                if host.is_wildcard() {
                    services.keys().any(|name| host.matches(&name.as_str().into()))
                } else {
                    services.contains_key(host.as_str())
                }
            })
        };
        let all = self.virtual_services().iter().enumerate();
        all.filter(|(_, service)| concerned(service)).map(|(position, _)| position).collect()
    }

    /// The same for one service.
    pub(crate) fn concerning_host(&self, host: &str) -> Vec<usize> {
        self.hosts.naming(host)
    }
}
