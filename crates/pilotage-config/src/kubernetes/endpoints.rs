//! Endpoints, the older form of EndpointSlice.

use super::endpoint_slice::ObjectReference;
use crate::message::message;

message! {
    /// The endpoints of a service of the same name.
    pub struct Endpoints {
        /// Groups of addresses that have the same ports.
        pub subsets: Vec<EndpointSubset>,
    }
}

message! {
    /// Addresses that have the same ports.
    pub struct EndpointSubset {
        /// Those that are ready.
        pub addresses: Vec<EndpointAddress>,
        /// Those that are not.
        pub not_ready_addresses: Vec<EndpointAddress>,
        /// The ports.
        pub ports: Vec<EndpointPort>,
    }
}

message! {
    /// An address.
    pub struct EndpointAddress {
        /// The address.
        pub ip: String,
        /// Its name.
        pub hostname: String,
        /// Its node.
        pub node_name: String,
        /// The pod behind it.
        pub target_ref: Option<ObjectReference>,
    }
}

message! {
    /// A port.
    pub struct EndpointPort {
        /// The name of the service's port.
        pub name: String,
        /// The number.
        pub port: u32,
        /// `TCP` (also when empty), `UDP` or `SCTP`.
        pub protocol: String,
        /// The protocol of the application.
        pub app_protocol: String,
    }
}
