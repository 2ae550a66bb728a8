//! Endpoints of Kubernetes services: EndpointSlices, Endpoints, and workloads that a selector finds.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use pilotage_config::kubernetes::endpoint_slice::{
    EndpointConditions, EndpointSlice, ObjectReference,
};
use pilotage_config::kubernetes::endpoints::{EndpointAddress as WrittenAddress, Endpoints};
use pilotage_config::object::{Kind, Object};

use super::{Endpoint, EndpointAddress, Health, Workload};
use crate::service::{Resolution, Service, ServicePort, TargetPort};
use crate::workloads::{Instance, Workloads, augmented};

const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// EndpointSlices and Endpoints by the service they belong to.
#[derive(Debug, Default)]
pub struct Slices<'a> {
    slices: BTreeMap<(&'a str, &'a str), Vec<&'a Arc<EndpointSlice>>>,
    endpoints: BTreeMap<(&'a str, &'a str), &'a Arc<Endpoints>>,
}

impl<'a> Slices<'a> {
    /// Sorts the objects by service. Slices of names (`addressType: FQDN`) have no meaning here.
    #[must_use]
    pub fn build(objects: &'a [Arc<Object>]) -> Self {
        let mut all = Self::default();
        for object in objects {
            match &object.body {
                Kind::EndpointSlice(slice) if slice.address_type != "FQDN" => {
                    if let Some(service) = object.meta.labels.get(SERVICE_NAME) {
                        let key = (object.namespace(), service.as_str());
                        all.slices.entry(key).or_default().push(slice);
                    }
                }
                Kind::Endpoints(endpoints) => {
                    all.endpoints.insert((object.namespace(), object.name()), endpoints);
                }
                _ => {}
            }
        }
        all
    }

    /// The objects that list the endpoints of a Kubernetes service.
    #[must_use]
    pub fn listing(&self, service: &Service) -> Vec<Kind> {
        let key = (&*service.namespace, &*service.name);
        let slices = self.slices.get(&key).into_iter().flatten().copied();
        let slices = slices.map(|slice| Kind::EndpointSlice(Arc::clone(slice)));
        let endpoints = self.endpoints.get(&key).copied();
        slices.chain(endpoints.map(|all| Kind::Endpoints(Arc::clone(all)))).collect()
    }

    /// The endpoints of a Kubernetes service.
    ///
    /// A service with a selector but without any slice or `Endpoints` object, as in a folder of YAML that no
    /// controller looks after, has the Pods that its selector finds.
    #[must_use]
    pub fn of(&self, service: &Service, workloads: &Workloads) -> Vec<Endpoint> {
        let key = (&*service.namespace, &*service.name);
        let mut found = Collected::default();
        if let Some(slices) = self.slices.get(&key) {
            slices.iter().for_each(|slice| found.add_slice(slice, service, workloads));
        } else if let Some(endpoints) = self.endpoints.get(&key) {
            found.add_endpoints(endpoints, service, workloads);
        } else {
            found.add_selected(service, workloads, |instance| instance.is_pod);
        }
        if service.resolution == Resolution::Static {
            found.add_selected(service, workloads, |instance| !instance.is_pod);
        }
        found.endpoints
    }
}

#[derive(Default)]
struct Collected {
    endpoints: Vec<Endpoint>,
    seen: BTreeSet<(IpAddr, u16, Arc<str>)>,
}

impl Collected {
    fn push(&mut self, endpoint: Endpoint) {
        let Some(ip) = endpoint.address.ip() else { return };
        if self.seen.insert((ip, endpoint.port, Arc::clone(&endpoint.service_port_name))) {
            self.endpoints.push(endpoint);
        }
    }

    fn add_slice(&mut self, slice: &EndpointSlice, service: &Service, workloads: &Workloads) {
        for written in &slice.endpoints {
            let health = health(&written.conditions);
            for text in &written.addresses {
                let Ok(ip) = text.parse() else { continue };
                let target = written.target_ref.as_ref();
                let Some(workload) = behind(ip, target, &written.node_name, service, workloads)
                else {
                    continue;
                };
                for port in &slice.ports {
                    let Ok(number) = u16::try_from(port.port.unwrap_or_default()) else { continue };
                    self.push(endpoint(ip, number, &port.name, &workload, health));
                }
            }
        }
    }

    fn add_endpoints(&mut self, written: &Endpoints, service: &Service, workloads: &Workloads) {
        for subset in &written.subsets {
            let ready = subset.addresses.iter().map(|address| (address, Health::Healthy));
            let unready =
                subset.not_ready_addresses.iter().map(|address| (address, Health::Unhealthy));
            for (address, health) in ready.chain(unready) {
                let WrittenAddress { ip, node_name, target_ref, .. } = address;
                let Ok(ip) = ip.parse() else { continue };
                let target = target_ref.as_ref();
                let Some(workload) = behind(ip, target, node_name, service, workloads) else {
                    continue;
                };
                for port in &subset.ports {
                    let Ok(number) = u16::try_from(port.port) else { continue };
                    self.push(endpoint(ip, number, &port.name, &workload, health));
                }
            }
        }
    }

    fn add_selected(
        &mut self,
        service: &Service,
        workloads: &Workloads,
        wanted: impl Fn(&Instance) -> bool,
    ) {
        for instance in workloads.selected(&service.namespace, &service.selector) {
            let Some(ip) = instance.address.ip().filter(|_| wanted(instance)) else { continue };
            for port in &service.ports {
                let Some(number) = target_port(port, instance) else { continue };
                let health = if instance.ready { Health::Healthy } else { Health::Unhealthy };
                let mut found = endpoint(ip, number, &port.name, &instance.workload, health);
                found.weight = instance.weight;
                self.push(found);
            }
        }
    }
}

/// The port of `instance` that `port` of a service leads to.
#[must_use]
pub fn target_port(port: &ServicePort, instance: &Instance) -> Option<u16> {
    match &port.target {
        TargetPort::Name(name) => instance.ports.get(&**name).copied(),
        target => {
            // An entry may give its own number under the service port's name.
            let own = instance.ports.get(&*port.name).copied().filter(|_| !instance.is_pod);
            Some(own.unwrap_or(match target {
                TargetPort::Number(number) => *number,
                TargetPort::Same | TargetPort::Name(_) => port.number,
            }))
        }
    }
}

fn endpoint(
    ip: IpAddr,
    port: u16,
    service_port_name: &str,
    workload: &Arc<Workload>,
    health: Health,
) -> Endpoint {
    Endpoint {
        address: EndpointAddress::Ip(ip),
        port,
        service_port_name: service_port_name.into(),
        service_port: None,
        workload: Arc::clone(workload),
        weight: 1,
        health,
        plaintext_only: false,
    }
}

fn health(conditions: &EndpointConditions) -> Health {
    if conditions.ready.unwrap_or(true) {
        Health::Healthy
    } else if conditions.terminating == Some(true) {
        Health::Terminating
    } else {
        Health::Unhealthy
    }
}

/// What runs at an address of a slice. An endpoint whose Pod is named but unknown is left out until the Pod is there.
fn behind(
    ip: IpAddr,
    target: Option<&ObjectReference>,
    node: &str,
    service: &Service,
    workloads: &Workloads,
) -> Option<Arc<Workload>> {
    let pod = match target.filter(|target| target.kind == "Pod") {
        Some(target) => {
            let namespace =
                if target.namespace.is_empty() { &service.namespace } else { &*target.namespace };
            Some(workloads.pod(namespace, &target.name)?)
        }
        None => workloads.pod_at(ip),
    };
    Some(match pod {
        Some(pod) => Arc::clone(&pod.workload),
        None => Arc::new(Workload {
            namespace: Arc::clone(&service.namespace),
            labels: augmented(&BTreeMap::new(), &Default::default(), node, ""),
            node: node.into(),
            ..Workload::default()
        }),
    })
}
