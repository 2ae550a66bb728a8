//! Services: what a host name stands for, wherever it was declared.

pub mod kubernetes;
pub mod service_entry;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::age::Age;
use crate::host::Host;
use crate::labels::Labels;
use crate::origin::Origin;
use crate::protocol::Protocol;
use crate::visibility::Visibility;

/// A service of the mesh, or one that the mesh knows of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Service {
    /// The name that routes and clusters use: the FQDN of a Kubernetes service, one host of a `ServiceEntry`.
    pub host: Host,
    /// The namespace of the object.
    pub namespace: Arc<str>,
    /// The name within its registry: that of a Kubernetes service, the host otherwise.
    pub name: Arc<str>,
    /// The name of the object.
    pub object_name: Arc<str>,
    /// When the object was created.
    pub age: Age,
    /// Where it was declared.
    pub registry: Registry,
    /// How its endpoints are found.
    pub resolution: Resolution,
    /// The addresses clients dial; empty when there are none.
    pub addresses: Vec<ServiceAddress>,
    /// Addresses that were allocated for a host without any; they count only where names are resolved by the proxy.
    pub auto_addresses: Vec<IpAddr>,
    /// The ports, as written.
    pub ports: Vec<ServicePort>,
    /// Outside of the mesh: no automatic mTLS.
    pub mesh_external: bool,
    /// Who sees it.
    pub visibility: Visibility,
    /// A Kubernetes service without a virtual address (`clusterIP: None`).
    pub headless: bool,
    /// Only endpoints of the client's own node count (`internalTrafficPolicy: Local`).
    pub node_local: bool,
    /// Which endpoints are preferred.
    pub traffic_distribution: TrafficDistribution,
    /// Labels of the object.
    pub labels: Labels,
    /// Labels of the workloads behind it; empty when there is no selector.
    pub selector: Labels,
    /// Identities its endpoints may show, besides those known from the endpoints themselves.
    pub subject_alt_names: Vec<String>,
    /// Other names for it (Kubernetes `ExternalName` services), in order of age.
    pub aliases: Vec<Alias>,
    /// The object.
    pub origin: Origin,
}

impl Service {
    /// The port of this number.
    #[must_use]
    pub fn port(&self, number: u16) -> Option<&ServicePort> {
        self.ports.iter().find(|port| port.number == number)
    }

    /// Whether it was declared as a Kubernetes service.
    #[must_use]
    pub fn is_kubernetes(&self) -> bool {
        self.registry == Registry::Kubernetes
    }

    /// A copy with only some of the ports.
    #[must_use]
    pub fn with_ports(&self, keep: impl Fn(&ServicePort) -> bool) -> Self {
        let ports = self.ports.iter().filter(|port| keep(port)).cloned().collect();
        Self { ports, ..self.clone() }
    }
}

/// Where a service was declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Registry {
    /// A Kubernetes `Service`.
    Kubernetes,
    /// A `ServiceEntry`.
    ServiceEntry,
}

/// How the endpoints of a service are found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// Its endpoints are known.
    Static,
    /// The address that the client dialled: headless services, `resolution: NONE`.
    Passthrough,
    /// By DNS; all addresses are endpoints.
    Dns,
    /// By DNS; one address at a time.
    DnsRoundRobin,
    /// By DNS, from the host of each request.
    DynamicDns,
    /// It is another name for this host.
    Alias(Host),
}

impl Resolution {
    /// Whether the endpoints are names that the proxy resolves.
    #[must_use]
    pub fn is_dns(&self) -> bool {
        matches!(self, Self::Dns | Self::DnsRoundRobin)
    }
}

/// An address, or a range of them, that clients of a service dial.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServiceAddress {
    /// One address.
    Ip(IpAddr),
    /// A range in CIDR notation, as written.
    Cidr(Arc<str>),
}

impl fmt::Display for ServiceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Cidr(range) => f.write_str(range),
        }
    }
}

/// A port of a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServicePort {
    /// The number clients use.
    pub number: u16,
    /// The name, which joins it to ports of endpoints; may be empty.
    pub name: Arc<str>,
    /// What it speaks.
    pub protocol: Protocol,
    /// The port of the workloads.
    pub target: TargetPort,
}

/// The port of the workloads behind a service port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TargetPort {
    /// The same number as that of the service port.
    Same,
    /// Another number.
    Number(u16),
    /// The container port of this name.
    Name(Arc<str>),
}

/// Another name for a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Alias {
    /// The FQDN of the `ExternalName` service.
    pub host: Host,
    /// Its namespace.
    pub namespace: Arc<str>,
}

/// Which endpoints of a service are preferred (`trafficDistribution`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TrafficDistribution {
    /// No preference.
    #[default]
    Any,
    /// The same network, region and zone first.
    PreferSameZone,
    /// The same node first, then as [`Self::PreferSameZone`].
    PreferSameNode,
}
