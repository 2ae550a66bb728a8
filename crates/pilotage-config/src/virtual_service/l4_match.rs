//! `tcp[].match[]` and `tls[].match[]`: conditions on a connection.

use std::collections::BTreeMap;

use crate::message::message;

message! {
    /// Conditions on a TCP connection that all have to hold.
    pub struct L4MatchAttributes {
        /// Addresses or CIDR blocks that the connection was meant for.
        pub destination_subnets: Vec<String>,
        /// The port of the listener.
        pub port: u32,
        /// Documented, but without effect in Istio: the client's address.
        pub source_subnet: String,
        /// Labels of the client's workload.
        pub source_labels: BTreeMap<String, String>,
        /// Gateways, replacing those of the VirtualService for this block.
        pub gateways: Vec<String>,
        /// The namespace of the client's workload.
        pub source_namespace: String,
    }
}

message! {
    /// Conditions on a TLS connection that all have to hold.
    pub struct TlsMatchAttributes as "TLSMatchAttributes" {
        /// Server names, exact or with a leading `*.`.
        pub sni_hosts: Vec<String>,
        /// Addresses or CIDR blocks that the connection was meant for.
        pub destination_subnets: Vec<String>,
        /// The port of the listener.
        pub port: u32,
        /// Labels of the client's workload.
        pub source_labels: BTreeMap<String, String>,
        /// Gateways, replacing those of the VirtualService for this block.
        pub gateways: Vec<String>,
        /// The namespace of the client's workload.
        pub source_namespace: String,
    }
}
