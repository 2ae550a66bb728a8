//! Where a sidecar listens for a service.

use std::net::IpAddr;

use pilotage_model::ProxyView;
use pilotage_model::service::{Service, ServiceAddress};

/// The addresses that clients of the service dial; none stands for all. A Kubernetes service has one per family, of
/// which the proxy's counts. Allocated addresses count where the proxy answers its clients' DNS queries.
pub(super) fn listen_addresses(view: &ProxyView, service: &Service) -> Vec<ServiceAddress> {
    let wants_v6 = view.proxy.is_ipv6_only();
    let of_family = |ip: &IpAddr| ip.is_ipv6() == wants_v6;
    if service.addresses.is_empty() {
        let allocated = service.auto_addresses.iter().copied().filter(of_family).take(1);
        let allocated = allocated.filter(|_| view.proxy.dns_capture);
        return allocated.map(ServiceAddress::Ip).collect();
    }
    if !service.is_kubernetes() {
        return service.addresses.clone();
    }
    let mut addresses = service.addresses.iter();
    let own = addresses.find(|address| matches!(address, ServiceAddress::Ip(ip) if of_family(ip)));
    own.or(service.addresses.first()).cloned().into_iter().collect()
}
