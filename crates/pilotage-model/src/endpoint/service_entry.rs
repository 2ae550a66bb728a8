//! Endpoints of `ServiceEntry`: listed ones, selected ones, or the host itself.

use std::sync::Arc;

use pilotage_config::object::ServiceEntryObject;
use pilotage_config::workload_entry::WorkloadEntry;

use super::{Endpoint, EndpointAddress, Health, Workload};
use crate::mesh::Mesh;
use crate::service::{Service, ServicePort, TargetPort};
use crate::workloads::{Workloads, described, ports};

/// The endpoints of one service that `entry` declares.
///
/// Each endpoint counts once for every address of the service, as on Istio, where every address is a service.
#[must_use]
pub fn of(
    service: &Service,
    entry: &ServiceEntryObject,
    workloads: &Workloads,
    mesh: &Mesh,
) -> Vec<Endpoint> {
    let spec = &entry.spec;
    let mut found = Vec::new();
    if spec.workload_selector.is_some() {
        add_selected(service, workloads, &mut found);
    } else if !spec.endpoints.is_empty() {
        add_listed(service, &spec.endpoints, mesh, &mut found);
    } else if service.resolution.is_dns() {
        add_host(service, &mut found);
    }
    let once = found.clone();
    for _ in 1..service.addresses.len() {
        found.extend(once.iter().cloned());
    }
    found
}

fn add_listed(
    service: &Service,
    entries: &[WorkloadEntry],
    mesh: &Mesh,
    found: &mut Vec<Endpoint>,
) {
    for (index, entry) in entries.iter().enumerate() {
        let name = format!("{}-{index}", service.object_name);
        let workload = Arc::new(described(entry, &entry.labels, &name, &service.namespace, mesh));
        let own = ports(entry);
        let address = EndpointAddress::parse(&entry.address);
        for port in &service.ports {
            let number = match address {
                EndpointAddress::Path(_) => 0,
                _ => own.get(&*port.name).copied().unwrap_or_else(|| default_port(port)),
            };
            let weight = entry.weight.max(1);
            found.push(endpoint(address.clone(), number, port, &workload, weight));
        }
    }
}

fn add_selected(service: &Service, workloads: &Workloads, found: &mut Vec<Endpoint>) {
    // An empty selector selects everything here, unlike that of a Kubernetes service.
    let everything =
        service.selector.is_empty().then(|| workloads.of_namespace(&service.namespace));
    let selected = workloads.selected(&service.namespace, &service.selector);
    for instance in everything.into_iter().flatten().chain(selected) {
        let unusable = matches!(instance.address, EndpointAddress::Path(_));
        if unusable || !instance.ready {
            continue;
        }
        for port in &service.ports {
            let own = instance.ports.get(&*port.name).copied().filter(|_| !instance.is_pod);
            let number = own.unwrap_or_else(|| default_port(port));
            let address = instance.address.clone();
            found.push(endpoint(address, number, port, &instance.workload, instance.weight));
        }
    }
}

/// Without endpoints, a DNS service is found under its own name.
fn add_host(service: &Service, found: &mut Vec<Endpoint>) {
    let workload = Arc::new(Workload {
        name: Arc::clone(&service.object_name),
        namespace: Arc::clone(&service.namespace),
        ..Workload::default()
    });
    for port in &service.ports {
        let address = EndpointAddress::parse(service.host.as_str());
        found.push(endpoint(address, default_port(port), port, &workload, 1));
    }
}

fn default_port(port: &ServicePort) -> u16 {
    match port.target {
        TargetPort::Number(number) => number,
        TargetPort::Same | TargetPort::Name(_) => port.number,
    }
}

fn endpoint(
    address: EndpointAddress,
    number: u16,
    port: &ServicePort,
    workload: &Arc<Workload>,
    weight: u32,
) -> Endpoint {
    Endpoint {
        address,
        port: number,
        service_port_name: Arc::clone(&port.name),
        service_port: Some(port.number),
        workload: Arc::clone(workload),
        weight,
        health: Health::Healthy,
        plaintext_only: false,
    }
}
