//! Sidecar: what a workload sees of the mesh, and what it accepts.

use crate::destination_rule::ConnectionPoolSettings;
use crate::gateway::ServerTlsSettings;
use crate::message::{enumeration, message};
use crate::selector::WorkloadSelector;
use crate::virtual_service::Destination;

message! {
    /// What workloads see of the mesh, and what they accept.
    pub struct Sidecar {
        /// The workloads. Absent means all of the namespace.
        pub workload_selector: Option<WorkloadSelector>,
        /// Ports to accept traffic on, instead of those of the workload's services.
        pub ingress: Vec<IngressListener>,
        /// Services to send traffic to.
        pub egress: Vec<EgressListener>,
        /// Limits on the traffic to the workload.
        pub inbound_connection_pool: Option<ConnectionPoolSettings>,
        /// What happens to traffic for unknown hosts. Absent means the mesh default.
        pub outbound_traffic_policy: Option<OutboundTrafficPolicy>,
    }
}

message! {
    /// A port to accept traffic on.
    pub struct IngressListener as "IstioIngressListener" {
        /// The port.
        pub port: Option<SidecarPort>,
        /// The address to listen on.
        pub bind: String,
        /// How traffic gets here.
        pub capture_mode: CaptureMode,
        /// Where the traffic goes: `127.0.0.1:PORT`, `unix://PATH` and so on.
        pub default_endpoint: String,
        /// TLS towards clients.
        pub tls: Option<ServerTlsSettings>,
        /// Limits on the traffic to this port.
        pub connection_pool: Option<ConnectionPoolSettings>,
    }
}

message! {
    /// Services to send traffic to.
    pub struct EgressListener as "IstioEgressListener" {
        /// The port; absent means those of the services.
        pub port: Option<SidecarPort>,
        /// The address to listen on, or `unix://` and a path.
        pub bind: String,
        /// How traffic gets here.
        pub capture_mode: CaptureMode,
        /// The services: `namespace/name`, where both may be wildcards.
        pub hosts: Vec<String>,
    }
}

message! {
    /// A port of a sidecar.
    pub struct SidecarPort {
        /// The number.
        pub number: u32,
        /// The protocol.
        pub protocol: String,
        /// A name.
        pub name: String,
        /// Deprecated and without effect.
        pub target_port: u32,
    }
}

enumeration! {
    /// How traffic gets to a listener.
    pub enum CaptureMode {
        /// As the proxy has it.
        #[default]
        Default = 0 "DEFAULT",
        /// By redirection in the kernel.
        Iptables = 1 "IPTABLES",
        /// The application connects to it.
        None = 2 "NONE",
    }
}

message! {
    /// What happens to traffic for unknown hosts.
    pub struct OutboundTrafficPolicy {
        /// Whether it passes.
        pub mode: OutboundTrafficMode,
        /// The service that it goes to instead.
        pub egress_proxy: Option<Destination>,
    }
}

enumeration! {
    /// Whether traffic for unknown hosts passes.
    pub enum OutboundTrafficMode as "OutboundTrafficPolicy.Mode" {
        /// It does not.
        #[default]
        RegistryOnly = 0 "REGISTRY_ONLY",
        /// It does.
        AllowAny = 1 "ALLOW_ANY",
    }
}
