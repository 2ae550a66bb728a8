//! WorkloadGroup: what workloads that register themselves have in common.

use std::collections::BTreeMap;

use crate::message::message;
use crate::workload_entry::WorkloadEntry;

message! {
    /// A description of workloads that register themselves.
    pub struct WorkloadGroup {
        /// Labels and annotations for their WorkloadEntries.
        pub metadata: Option<ObjectMeta>,
        /// The WorkloadEntry to begin with.
        pub template: Option<WorkloadEntry>,
        /// How their health is checked.
        pub probe: Option<ReadinessProbe>,
    }
}

message! {
    /// Labels and annotations.
    pub struct ObjectMeta as "WorkloadGroup.ObjectMeta" {
        /// Labels.
        pub labels: BTreeMap<String, String>,
        /// Annotations.
        pub annotations: BTreeMap<String, String>,
    }
}

message! {
    /// A check of health.
    pub struct ReadinessProbe {
        /// Seconds before the first check.
        pub initial_delay_seconds: i32,
        /// Seconds to wait for an answer; 0 means 1.
        pub timeout_seconds: i32,
        /// Seconds between checks; 0 means 10.
        pub period_seconds: i32,
        /// Successes in a row to be healthy; 0 means 1.
        pub success_threshold: i32,
        /// Failures in a row to be unhealthy; 0 means 3.
        pub failure_threshold: i32,
        /// By HTTP.
        pub http_get: Option<HttpHealthCheck>,
        /// By connecting.
        pub tcp_socket: Option<TcpHealthCheck>,
        /// By running a command.
        pub exec: Option<ExecHealthCheck>,
        /// By gRPC.
        pub grpc: Option<GrpcHealthCheck>,
    }
    one of [http_get, tcp_socket, exec, grpc]
}

message! {
    /// A check by HTTP.
    pub struct HttpHealthCheck as "HTTPHealthCheckConfig" {
        /// The path.
        pub path: String,
        /// The port.
        pub port: u32,
        /// The host; empty means the workload's address.
        pub host: String,
        /// `HTTP` or `HTTPS`.
        pub scheme: String,
        /// Headers to send.
        pub http_headers: Vec<HttpHeader>,
    }
}

message! {
    /// A header.
    pub struct HttpHeader as "HTTPHeader" {
        /// Its name.
        pub name: String,
        /// Its value.
        pub value: String,
    }
}

message! {
    /// A check by connecting.
    pub struct TcpHealthCheck as "TCPHealthCheckConfig" {
        /// The host; empty means the workload's address.
        pub host: String,
        /// The port.
        pub port: u32,
    }
}

message! {
    /// A check by running a command.
    pub struct ExecHealthCheck as "ExecHealthCheckConfig" {
        /// The command and its arguments.
        pub command: Vec<String>,
    }
}

message! {
    /// A check by gRPC's health service.
    pub struct GrpcHealthCheck as "GrpcHealthCheckConfig" {
        /// The port.
        pub port: u32,
        /// The name of the service to ask about.
        pub service: String,
    }
}
