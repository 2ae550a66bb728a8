//! Services declared by `ServiceEntry`.

use std::net::IpAddr;

use pilotage_config::object::{Object, ServiceEntryObject};
use pilotage_config::service_entry::{Location, Resolution as Written, ServicePort as WrittenPort};

use super::{Registry, Resolution, Service, ServiceAddress, ServicePort, TargetPort};
use crate::age::Age;
use crate::host::Host;
use crate::mesh::Mesh;
use crate::origin::Origin;
use crate::protocol::Protocol;
use crate::service::kubernetes::annotated_distribution;
use crate::visibility::Visibility;

const AUTO_ALLOCATE: &str = "networking.istio.io/enable-autoallocate-ip";

/// The services that a `ServiceEntry` declares, one for each host.
#[must_use]
pub fn convert(object: &Object, entry: &ServiceEntryObject, mesh: &Mesh) -> Vec<Service> {
    let spec = &entry.spec;
    let namespace = object.namespace();
    let default = &mesh.config().default_service_export_to;
    let template = Service {
        host: Host::new(""),
        namespace: namespace.into(),
        name: "".into(),
        object_name: object.name().into(),
        age: Age::new(object.meta.creation_timestamp),
        registry: Registry::ServiceEntry,
        resolution: match spec.resolution {
            Written::None => Resolution::Passthrough,
            Written::Static => Resolution::Static,
            Written::Dns => Resolution::Dns,
            Written::DnsRoundRobin => Resolution::DnsRoundRobin,
            Written::DynamicDns => Resolution::DynamicDns,
        },
        addresses: spec.addresses.iter().filter_map(|text| address(text)).collect(),
        auto_addresses: Vec::new(),
        ports: spec.ports.iter().filter_map(port).collect(),
        mesh_external: spec.location == Location::MeshExternal,
        visibility: Visibility::of(&spec.export_to, namespace, default),
        headless: false,
        node_local: false,
        traffic_distribution: annotated_distribution(object).unwrap_or_default(),
        labels: object.meta.labels.clone(),
        selector: spec
            .workload_selector
            .as_ref()
            .map(|selector| selector.labels.clone())
            .unwrap_or_default(),
        subject_alt_names: spec.subject_alt_names.clone(),
        aliases: Vec::new(),
        origin: Origin::of(object.reference()),
    };
    let hosts = spec.hosts.iter();
    hosts
        .map(|host| Service {
            host: Host::new(host),
            name: host.as_str().into(),
            auto_addresses: auto_addresses(object, entry, host),
            ..template.clone()
        })
        .collect()
}

/// An address as written; a range of one address is that address.
fn address(text: &str) -> Option<ServiceAddress> {
    if let Ok(ip) = text.parse() {
        return Some(ServiceAddress::Ip(ip));
    }
    let (ip, bits) = text.split_once('/')?;
    let (ip, bits): (IpAddr, u8) = (ip.parse().ok()?, bits.parse().ok()?);
    let all = if ip.is_ipv4() { 32 } else { 128 };
    match bits {
        bits if bits == all => Some(ServiceAddress::Ip(ip)),
        bits if bits < all => Some(ServiceAddress::Cidr(text.into())),
        _ => None,
    }
}

fn port(written: &WrittenPort) -> Option<ServicePort> {
    let number = u16::try_from(written.number).ok()?;
    let target = match u16::try_from(written.target_port).ok()? {
        0 => TargetPort::Same,
        target => TargetPort::Number(target),
    };
    let protocol = Protocol::parse(&written.protocol);
    Some(ServicePort { number, name: written.name.as_str().into(), protocol, target })
}

/// Addresses from the object's status, unless the object has addresses of its own or wants none.
fn auto_addresses(object: &Object, entry: &ServiceEntryObject, host: &str) -> Vec<IpAddr> {
    let opted_out = object.meta.labels.get(AUTO_ALLOCATE).is_some_and(|value| value == "false");
    let useless = entry.spec.resolution == Written::None || host.starts_with('*');
    if opted_out || useless || !entry.spec.addresses.is_empty() {
        return Vec::new();
    }
    let allocated = entry.status.addresses.iter().filter(|address| address.host == host);
    allocated.filter_map(|address| address.value.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_one_address_is_an_address() {
        let ip = |text: &str| Some(ServiceAddress::Ip(text.parse().unwrap()));
        assert_eq!(address("10.1.2.3/32"), ip("10.1.2.3"));
        assert_eq!(address("::1/128"), ip("::1"));
        assert_eq!(address("10.0.0.0/8"), Some(ServiceAddress::Cidr("10.0.0.0/8".into())));
        assert_eq!(address("10.0.0.0/33"), None);
    }
}
