//! The services of the demo, and the objects that make them known to the mesh.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// A running version of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Workload {
    /// The service, for instance `reviews`.
    pub(crate) service: &'static str,
    /// The version, for instance `v1`.
    pub(crate) version: &'static str,
}

/// The port of every service.
pub(crate) const PORT: u16 = 9080;

/// What runs: Istio's Bookinfo.
pub(crate) const WORKLOADS: [Workload; 6] = [
    Workload { service: "productpage", version: "v1" },
    Workload { service: "details", version: "v1" },
    Workload { service: "reviews", version: "v1" },
    Workload { service: "reviews", version: "v2" },
    Workload { service: "reviews", version: "v3" },
    Workload { service: "ratings", version: "v1" },
];

/// Where each workload listens.
pub(crate) type Addresses = BTreeMap<Workload, SocketAddr>;

/// The names of the services, in the order in which requests meet them.
pub(crate) fn services() -> Vec<&'static str> {
    let mut services: Vec<&str> = WORKLOADS.iter().map(|workload| workload.service).collect();
    services.dedup();
    services
}

/// Services, Pods and EndpointSlices, as Kubernetes would have them.
pub(crate) fn objects(addresses: &Addresses) -> String {
    let mut yaml = String::new();
    for (number, service) in (1..).zip(services()) {
        // Writing to a string cannot fail.
        write!(
            yaml,
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {service}, labels: {{app: {service}}}}}\n\
             spec:\n  clusterIP: 10.96.0.{number}\n  selector: {{app: {service}}}\n  \
             ports: [{{name: http, port: {PORT}}}]\n---\n"
        )
        .ok();
    }
    for (Workload { service, version }, address) in addresses {
        let (ip, port) = (address.ip(), address.port());
        write!(
            yaml,
            "apiVersion: v1\nkind: Pod\n\
             metadata: {{name: {service}-{version}, labels: {{app: {service}, version: {version}}}}}\n\
             spec: {{containers: [{{name: {service}, ports: [{{containerPort: {port}}}]}}]}}\n\
             status: {{podIP: {ip}, phase: Running, conditions: [{{type: Ready, status: \"True\"}}]}}\n---\n\
             apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
             metadata: {{name: {service}-{version}, labels: {{kubernetes.io/service-name: {service}}}}}\n\
             addressType: IPv4\nports: [{{name: http, port: {port}}}]\n\
             endpoints: [{{addresses: [{ip}], conditions: {{ready: true}}, \
             targetRef: {{kind: Pod, name: {service}-{version}, namespace: default}}}}]\n---\n"
        )
        .ok();
    }
    yaml
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_objects_are_good() {
        let addresses =
            WORKLOADS.iter().map(|it| (*it, "127.0.0.1:3000".parse().unwrap())).collect();
        let loaded = pilotage_config::load("bookinfo", &objects(&addresses));
        assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
        assert_eq!(loaded.objects.len(), 4 + 6 + 6);
    }
}
