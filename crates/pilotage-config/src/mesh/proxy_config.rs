//! ProxyConfig: settings of single proxies.

use std::collections::BTreeMap;

use crate::duration::Duration;
use crate::message::{enumeration, message};
use crate::selector::MatchLabels;

message! {
    /// Settings of a proxy: `defaultConfig` of the mesh, or a pod's annotation.
    pub struct ProxyConfig {
        /// What stands in front of gateways.
        pub gateway_topology: Option<GatewayTopology>,
        /// Headers that the proxy adds.
        pub proxy_headers: Option<ProxyHeaders>,
        /// How long connections may go on after the proxy was told to drain.
        pub drain_duration: Option<Duration>,
        /// How long the proxy stays after it was told to end.
        pub termination_drain_duration: Option<Duration>,
        /// How traffic gets to the proxy.
        pub interception_mode: InterceptionMode,
        /// The number of worker threads. Absent means by the CPU limit.
        pub concurrency: Option<i32>,
        /// The port for health checks.
        pub status_port: Option<i32>,
        /// The port for administration.
        pub proxy_admin_port: Option<i32>,
        /// The address of the control plane.
        pub discovery_address: String,
        /// Whether the application starts after the proxy is ready.
        pub hold_application_until_proxy_starts: Option<bool>,
        /// Environment variables, among them `ISTIO_META_…`.
        pub proxy_metadata: BTreeMap<String, String>,
        /// Switches of Envoy.
        pub runtime_values: BTreeMap<String, String>,
        /// Further labels for statistics.
        pub extra_stat_tags: Vec<String>,
        /// The longest name of a statistic.
        pub stat_name_length: Option<i32>,
        /// Limits for connections from outside.
        pub connection_settings: Option<ConnectionSettings>,
    }
}

message! {
    /// What stands in front of gateways.
    pub struct GatewayTopology as "Topology" {
        /// How many trusted proxies a request has passed.
        pub num_trusted_proxies: u32,
        /// What happens to the header with the client's certificate.
        pub forward_client_cert_details: ForwardClientCertDetails,
        /// Present when connections begin with the PROXY protocol.
        pub proxy_protocol: Option<TopologyProxyProtocol>,
    }
}

message! {
    /// Connections begin with the PROXY protocol.
    pub struct TopologyProxyProtocol as "Topology.ProxyProtocolConfiguration" {
    }
}

enumeration! {
    /// What happens to the header with the client's certificate.
    pub enum ForwardClientCertDetails {
        /// As the proxy has it.
        #[default]
        Undefined = 0 "UNDEFINED",
        /// It is removed.
        Sanitize = 1 "SANITIZE",
        /// It is passed on when the connection is mTLS.
        ForwardOnly = 2 "FORWARD_ONLY",
        /// The client's certificate is appended when the connection is mTLS.
        AppendForward = 3 "APPEND_FORWARD",
        /// It is replaced when the connection is mTLS.
        SanitizeSet = 4 "SANITIZE_SET",
        /// It is always passed on.
        AlwaysForwardOnly = 5 "ALWAYS_FORWARD_ONLY",
    }
}

enumeration! {
    /// How traffic gets to the proxy.
    pub enum InterceptionMode as "ProxyConfig.InboundInterceptionMode" {
        /// By redirection.
        #[default]
        Redirect = 0 "REDIRECT",
        /// By redirection that keeps the client's address.
        Tproxy = 1 "TPROXY",
        /// Not.
        None = 2 "NONE",
    }
}

message! {
    /// Headers that the proxy adds.
    pub struct ProxyHeaders as "ProxyConfig.ProxyHeaders" {
        /// What happens to the header with the client's certificate.
        pub forwarded_client_cert: ForwardClientCertDetails,
        /// What of the client's certificate goes into that header.
        pub set_current_client_cert_details: Option<SetCurrentClientCertDetails>,
        /// `x-request-id`.
        pub request_id: Option<HeaderSwitch>,
        /// `server`.
        pub server: Option<ServerHeader>,
        /// `x-envoy-attempt-count`.
        pub attempt_count: Option<HeaderSwitch>,
        /// Headers for debugging.
        pub envoy_debug_headers: Option<HeaderSwitch>,
        /// Headers with the workload's identity.
        pub metadata_exchange_headers: Option<MetadataExchangeHeaders>,
        /// Whether HTTP/1 headers keep their letter case.
        pub preserve_http1_header_case as "preserveHttp1HeaderCase": Option<bool>,
        /// `x-forwarded-host`.
        pub x_forwarded_host: Option<HeaderEnabled>,
        /// `x-forwarded-port`.
        pub x_forwarded_port: Option<HeaderEnabled>,
    }
}

message! {
    /// What of the client's certificate is passed on.
    pub struct SetCurrentClientCertDetails as "ProxyConfig.ProxyHeaders.SetCurrentClientCertDetails" {
        /// The subject. Absent means yes.
        pub subject: Option<bool>,
        /// The certificate.
        pub cert: Option<bool>,
        /// The chain.
        pub chain: Option<bool>,
        /// DNS names. Absent means yes.
        pub dns: Option<bool>,
        /// URIs. Absent means yes.
        pub uri: Option<bool>,
    }
}

message! {
    /// A header that can be turned off.
    pub struct HeaderSwitch as "ProxyConfig.ProxyHeaders.Switch" {
        /// Whether it is off.
        pub disabled: Option<bool>,
    }
}

message! {
    /// A header that can be turned on.
    pub struct HeaderEnabled as "ProxyConfig.ProxyHeaders.Enabled" {
        /// Whether it is on.
        pub enabled: Option<bool>,
    }
}

message! {
    /// The header `server`.
    pub struct ServerHeader as "ProxyConfig.ProxyHeaders.Server" {
        /// Whether it is off.
        pub disabled: Option<bool>,
        /// Its value.
        pub value: String,
    }
}

message! {
    /// Headers with the workload's identity.
    pub struct MetadataExchangeHeaders as "ProxyConfig.ProxyHeaders.MetadataExchangeHeaders" {
        /// Where they are used.
        pub mode: MetadataExchangeMode,
    }
}

enumeration! {
    /// Where headers with the workload's identity are used.
    pub enum MetadataExchangeMode {
        /// Everywhere.
        #[default]
        Undefined = 0 "UNDEFINED",
        /// In the mesh only.
        InMesh = 1 "IN_MESH",
    }
}

message! {
    /// Limits for connections from outside.
    pub struct ConnectionSettings as "ProxyConfig.ConnectionSettings" {
        /// The set of limits.
        pub profile: ConnectionProfile,
    }
}

enumeration! {
    /// Sets of limits.
    pub enum ConnectionProfile {
        /// As the proxy has it.
        #[default]
        Unspecified = 0 "UNSPECIFIED",
        /// None, for peers that are trusted.
        Sidecar = 1 "SIDECAR",
        /// Strict ones, for the internet.
        Edge = 2 "EDGE",
    }
}

message! {
    /// The object kind ProxyConfig: settings for some proxies.
    pub struct ProxyConfigObject as "ProxyConfig" {
        /// The workloads. Absent means all of the namespace.
        pub selector: Option<MatchLabels>,
        /// The number of worker threads.
        pub concurrency: Option<i32>,
        /// Environment variables.
        pub environment_variables: BTreeMap<String, String>,
        /// The image of the proxy.
        pub image: Option<ProxyImage>,
    }
}

message! {
    /// The image of the proxy.
    pub struct ProxyImage {
        /// Its variant, such as `distroless`.
        pub image_type: String,
    }
}
