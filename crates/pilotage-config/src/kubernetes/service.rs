//! Service.

use std::collections::BTreeMap;

use crate::decode::{Decode, Decoder};
use crate::message::message;
use crate::schema::Shape;
use crate::yaml::{Node, NodeKind};

message! {
    /// A service.
    pub struct Service {
        /// What was asked for.
        pub spec: ServiceSpec,
        /// What became of it.
        pub status: ServiceStatus,
    }
}

message! {
    /// What was asked for.
    pub struct ServiceSpec {
        /// `ClusterIP` (also when empty), `NodePort`, `LoadBalancer` or `ExternalName`.
        pub type_ as "type": String,
        /// The address; `None` for headless services.
        pub cluster_ip as "clusterIP": String,
        /// The addresses of both families.
        pub cluster_ips as "clusterIPs": Vec<String>,
        /// Further addresses.
        pub external_ips as "externalIPs": Vec<String>,
        /// The name that an `ExternalName` service stands for.
        pub external_name: String,
        /// Labels of the pods behind it.
        pub selector: BTreeMap<String, String>,
        /// The ports.
        pub ports: Vec<ServicePort>,
        /// `Local` keeps traffic on the client's node.
        pub internal_traffic_policy: String,
        /// `Local` keeps traffic from outside on the node it came to.
        pub external_traffic_policy: String,
        /// Whether pods that are not ready are listed too.
        pub publish_not_ready_addresses: bool,
        /// `PreferClose` and so on.
        pub traffic_distribution: String,
        /// `ClientIP` asks for affinity by address.
        pub session_affinity: String,
        /// `IPv4`, `IPv6`.
        pub ip_families: Vec<String>,
        /// `SingleStack`, `PreferDualStack`, `RequireDualStack`.
        pub ip_family_policy: String,
    }
}

message! {
    /// A port of a service.
    pub struct ServicePort {
        /// A name; may be empty when it is the only port.
        pub name: String,
        /// The number that clients use.
        pub port: u32,
        /// `TCP` (also when empty), `UDP` or `SCTP`.
        pub protocol: String,
        /// The protocol of the application.
        pub app_protocol: String,
        /// The port of the pods; absent means the same number.
        pub target_port: Option<IntOrString>,
        /// The port on the nodes; 0 means none.
        pub node_port: u32,
    }
}

message! {
    /// What became of a service.
    pub struct ServiceStatus {
        /// Addresses from outside.
        pub load_balancer: LoadBalancerStatus,
    }
}

message! {
    /// Addresses from outside.
    pub struct LoadBalancerStatus {
        /// The addresses.
        pub ingress: Vec<LoadBalancerIngress>,
    }
}

message! {
    /// An address from outside.
    pub struct LoadBalancerIngress {
        /// As a number.
        pub ip: String,
        /// As a name.
        pub hostname: String,
    }
}

/// A port by number or by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IntOrString {
    /// By number.
    Int(u32),
    /// By name.
    String(String),
}

impl Decode for IntOrString {
    const SHAPE: Shape = Shape::Scalar("a number or a name");

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.kind {
            NodeKind::String(text) => Some(Self::String(text.to_string())),
            _ => u32::decode(node, decoder).map(Self::Int),
        }
    }
}
