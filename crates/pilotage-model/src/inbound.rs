//! What comes in at a proxy: the service ports that lead to its workload.

use std::net::IpAddr;
use std::sync::Arc;

use crate::destination_rule::DestinationRule;
use crate::endpoint::kubernetes::target_port;
use crate::labels::{Labels, selects};
use crate::proxy::ProxyClass;
use crate::registry::Registered;
use crate::service::{Service, ServicePort, TargetPort};
use crate::snapshot::Snapshot;
use crate::workloads::Instance;

/// What comes in at a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Inbound {
    /// The service ports that lead to the proxy's workload, services by age and then host.
    pub targets: Vec<Target>,
}

/// A service port that leads to the proxy's workload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The service.
    pub service: Arc<Service>,
    /// Its port.
    pub port: ServicePort,
    /// The port of the workload; 0 when a file leaves it out, which then has a cluster and no filter chain.
    pub target_port: u16,
    /// The destination rule of the workload's own namespace, whose connection pool counts here too.
    pub rule: Option<Arc<DestinationRule>>,
}

impl Inbound {
    /// The services of the proxy's namespace behind which its workload runs.
    ///
    /// A Pod belongs to the Kubernetes services that select it, or (when none does) to those that list its address; a
    /// `WorkloadEntry` to those that select it; both to `ServiceEntry` services that list or select them.
    #[must_use]
    pub fn of(snapshot: &Snapshot, proxy: &ProxyClass) -> Self {
        let mut inbound = Self::default();
        let instance =
            proxy.addresses.iter().find_map(|ip| snapshot.workloads.at(*ip, &proxy.namespace));
        let labels = instance.map_or(&proxy.labels, |instance| &instance.labels);
        let in_namespace = || {
            let all = snapshot.registry.all().iter();
            all.filter(|registered| registered.service.namespace == proxy.namespace)
        };
        let selecting = |registered: &&Registered| selects_workload(&registered.service, labels);
        let mut any = false;
        for registered in in_namespace().filter(selecting) {
            any = true;
            for port in &registered.service.ports {
                if let Some(target) = inbound_port(port, instance.map(|instance| &**instance)) {
                    inbound.add(snapshot, proxy, &registered.service, port, target);
                }
            }
        }
        for registered in in_namespace().filter(|r| !any || !r.service.is_kubernetes()) {
            for (port, target) in listed(registered, &proxy.addresses) {
                inbound.add(snapshot, proxy, &registered.service, &port, target);
            }
        }
        inbound.targets.sort_by(|a, b| {
            (a.service.age, &a.service.host).cmp(&(b.service.age, &b.service.host))
        });
        inbound
    }

    fn add(
        &mut self,
        snapshot: &Snapshot,
        proxy: &ProxyClass,
        service: &Arc<Service>,
        port: &ServicePort,
        target_port: u16,
    ) {
        let known = self.targets.iter().any(|target| {
            Arc::ptr_eq(&target.service, service)
                && target.port.number == port.number
                && target.target_port == target_port
        });
        if known {
            return;
        }
        let rules = &snapshot.destination_rules;
        let choice = rules.choice(&proxy.namespace, &service.host, &service.namespace);
        let rule = choice.inbound().cloned();
        let service = Arc::clone(service);
        self.targets.push(Target { service, port: port.clone(), target_port, rule });
    }
}

fn selects_workload(service: &Service, labels: &Labels) -> bool {
    service.is_kubernetes() && !service.selector.is_empty() && selects(&service.selector, labels)
}

/// The port of the workload that `port` leads to.
///
/// An API server completes what it stores. In a plain file a target port may be absent, and so may the transport
/// protocol of a container port; Istio then sees port 0, which gets a cluster and no filter chain, and no port of that
/// name. Either way connections reach the workload by the catch-all chains.
fn inbound_port(port: &ServicePort, instance: Option<&Instance>) -> Option<u16> {
    match (&port.target, instance) {
        (_, Some(entry)) if !entry.is_pod => target_port(port, entry),
        (TargetPort::Number(number), _) => Some(*number),
        (TargetPort::Same, _) => Some(0),
        (TargetPort::Name(name), Some(pod)) => {
            pod.ports.get(&**name).copied().filter(|_| pod.stated_ports.contains(&**name))
        }
        (TargetPort::Name(_), None) => None,
    }
}

/// The ports of a service whose endpoints have one of these addresses, with the port there.
fn listed(registered: &Registered, addresses: &[IpAddr]) -> Vec<(ServicePort, u16)> {
    let mut found = Vec::new();
    for endpoint in &registered.endpoints.all {
        if !endpoint.address.ip().is_some_and(|ip| addresses.contains(&ip)) {
            continue;
        }
        let ports = registered.service.ports.iter();
        let port = ports.into_iter().find(|port| match endpoint.service_port {
            Some(number) => port.number == number && port.name == endpoint.service_port_name,
            None => port.name == endpoint.service_port_name,
        });
        found.extend(port.map(|port| (port.clone(), endpoint.port)));
    }
    found
}
