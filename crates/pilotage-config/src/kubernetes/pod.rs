//! Pod.

use crate::message::message;

message! {
    /// A pod.
    pub struct Pod {
        /// What was asked for.
        pub spec: PodSpec,
        /// What became of it.
        pub status: PodStatus,
    }
}

message! {
    /// What was asked for.
    pub struct PodSpec {
        /// Its node.
        pub node_name: String,
        /// Its identity; empty means `default`.
        pub service_account_name: String,
        /// The older name of that field.
        pub service_account: String,
        /// Its host name; empty means its name.
        pub hostname: String,
        /// The headless service that gives it a name.
        pub subdomain: String,
        /// Whether it has the addresses of its node.
        pub host_network: bool,
        /// Its containers.
        pub containers: Vec<Container>,
        /// Containers that run before the others, or beside them.
        pub init_containers: Vec<Container>,
    }
}

message! {
    /// A container.
    pub struct Container {
        /// Its name.
        pub name: String,
        /// Its ports.
        pub ports: Vec<ContainerPort>,
    }
}

message! {
    /// A port of a container.
    pub struct ContainerPort {
        /// A name, which services may use.
        pub name: String,
        /// The number.
        pub container_port: u32,
        /// `TCP` (also when empty), `UDP` or `SCTP`.
        pub protocol: String,
    }
}

message! {
    /// What became of a pod.
    pub struct PodStatus {
        /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
        pub phase: String,
        /// Its address.
        pub pod_ip as "podIP": String,
        /// Its addresses of both families.
        pub pod_ips as "podIPs": Vec<PodIp>,
        /// Its conditions.
        pub conditions: Vec<PodCondition>,
    }
}

message! {
    /// An address of a pod.
    pub struct PodIp as "PodIP" {
        /// The address.
        pub ip: String,
    }
}

message! {
    /// A condition of a pod.
    pub struct PodCondition {
        /// What it is about, for instance `Ready`.
        pub type_ as "type": String,
        /// `True`, `False` or `Unknown`.
        pub status: String,
    }
}
