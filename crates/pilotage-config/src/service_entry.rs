//! ServiceEntry: services that Kubernetes does not know.

use crate::message::{enumeration, message};
use crate::selector::WorkloadSelector;
use crate::workload_entry::WorkloadEntry;

message! {
    /// A service that is not one of Kubernetes.
    pub struct ServiceEntry {
        /// Its hosts, each a service of its own.
        pub hosts: Vec<String>,
        /// Its addresses or CIDR blocks.
        pub addresses: Vec<String>,
        /// Its ports.
        pub ports: Vec<ServicePort>,
        /// Whether it belongs to the mesh.
        pub location: Location,
        /// How its endpoints are found.
        pub resolution: Resolution,
        /// Its endpoints.
        pub endpoints: Vec<WorkloadEntry>,
        /// Workloads of the namespace that are its endpoints.
        pub workload_selector: Option<WorkloadSelector>,
        /// The namespaces that see this object: `.`, `*`, `~` or names.
        pub export_to: Vec<String>,
        /// Names of which the endpoints' certificates need to have one.
        pub subject_alt_names: Vec<String>,
    }
}

message! {
    /// A port of a service.
    pub struct ServicePort {
        /// The number that clients use.
        pub number: u32,
        /// The protocol; empty means to find out from the traffic.
        pub protocol: String,
        /// A name, unique in the service.
        pub name: String,
        /// The port of the endpoints; 0 means the same number.
        pub target_port: u32,
    }
}

enumeration! {
    /// Whether a service belongs to the mesh.
    pub enum Location {
        /// It does not; no mTLS.
        #[default]
        MeshExternal = 0 "MESH_EXTERNAL",
        /// It does.
        MeshInternal = 1 "MESH_INTERNAL",
    }
}

enumeration! {
    /// How the endpoints of a service are found.
    pub enum Resolution {
        /// They are the addresses that clients ask for.
        #[default]
        None = 0 "NONE",
        /// They are listed, or selected.
        Static = 1 "STATIC",
        /// By DNS, all addresses.
        Dns = 2 "DNS",
        /// By DNS, one address at a time.
        DnsRoundRobin = 3 "DNS_ROUND_ROBIN",
        /// By DNS, from the host of each request.
        DynamicDns = 4 "DYNAMIC_DNS",
    }
}

message! {
    /// The status, as far as traffic needs it.
    pub struct ServiceEntryStatus {
        /// Addresses that were allocated for the hosts.
        pub addresses: Vec<ServiceEntryAddress>,
    }
}

message! {
    /// An address that was allocated for a host.
    pub struct ServiceEntryAddress {
        /// The address.
        pub value: String,
        /// The host.
        pub host: String,
    }
}
