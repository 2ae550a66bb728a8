//! EndpointSlice.

use std::collections::BTreeMap;

use crate::message::message;

message! {
    /// Some of the endpoints of the service that the label `kubernetes.io/service-name` names.
    pub struct EndpointSlice {
        /// `IPv4`, `IPv6` or `FQDN`.
        pub address_type: String,
        /// The endpoints.
        pub endpoints: Vec<SliceEndpoint>,
        /// Their ports.
        pub ports: Vec<SlicePort>,
    }
}

message! {
    /// An endpoint.
    pub struct SliceEndpoint as "Endpoint" {
        /// Its addresses, which mean the same.
        pub addresses: Vec<String>,
        /// Its state.
        pub conditions: EndpointConditions,
        /// Its name.
        pub hostname: String,
        /// Its node.
        pub node_name: String,
        /// Its zone.
        pub zone: String,
        /// The pod behind it.
        pub target_ref: Option<ObjectReference>,
        /// Labels of its place, in older versions.
        pub deprecated_topology: BTreeMap<String, String>,
    }
}

message! {
    /// The state of an endpoint. Absent means unknown, which counts as ready and serving.
    pub struct EndpointConditions {
        /// Whether it takes requests.
        pub ready: Option<bool>,
        /// Whether it takes requests, even though it is ending.
        pub serving: Option<bool>,
        /// Whether it is ending.
        pub terminating: Option<bool>,
    }
}

message! {
    /// A port.
    pub struct SlicePort as "EndpointPort" {
        /// The name of the service's port.
        pub name: String,
        /// The number. Absent means all ports.
        pub port: Option<u32>,
        /// `TCP` (also when empty), `UDP` or `SCTP`.
        pub protocol: String,
        /// The protocol of the application.
        pub app_protocol: String,
    }
}

message! {
    /// Another object.
    pub struct ObjectReference {
        /// Its kind.
        pub kind: String,
        /// Its name.
        pub name: String,
        /// Its namespace.
        pub namespace: String,
    }
}
