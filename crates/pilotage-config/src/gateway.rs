//! Gateway: the ports that a gateway opens to the outside.

pub mod server_tls;

use std::collections::BTreeMap;

pub use server_tls::{ServerTlsMode, ServerTlsSettings, TlsCertificate, TlsProtocol};

use crate::message::message;

message! {
    /// Ports, hosts and certificates of gateway workloads.
    pub struct Gateway {
        /// The servers.
        pub servers: Vec<Server>,
        /// Labels of the workloads that act as this gateway. None means every gateway.
        pub selector: BTreeMap<String, String>,
    }
}

message! {
    /// A port and the hosts served there.
    pub struct Server {
        /// The port.
        pub port: Option<Port>,
        /// The address to listen on, or `unix://` and a path. Empty means all addresses.
        pub bind: String,
        /// The hosts: `[namespace/]name`, where the name may begin with `*.`.
        pub hosts: Vec<String>,
        /// TLS towards clients.
        pub tls: Option<ServerTlsSettings>,
        /// Documented, but without effect in Istio.
        pub default_endpoint: String,
        /// A name for people.
        pub name: String,
    }
}

message! {
    /// A port of a gateway.
    pub struct Port {
        /// The number that clients use.
        pub number: u32,
        /// The protocol: `HTTP`, `HTTPS`, `HTTP2`, `GRPC`, `GRPC-WEB`, `MONGO`, `TCP`, `TLS` …
        pub protocol: String,
        /// A name, unique in the gateway.
        pub name: String,
        /// Deprecated and without effect.
        pub target_port: u32,
    }
}
