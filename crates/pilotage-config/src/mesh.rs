//! MeshConfig: settings for the whole mesh.

pub mod defaults;
pub mod proxy_config;
pub mod visibility;

use crate::destination_rule::{
    ConnectionPoolSettings, H2UpgradePolicy, LocalityLbSetting, OutlierDetection, TcpKeepalive,
    ZoneAwareLbSetting,
};
use crate::duration::Duration;
use crate::message::{enumeration, message};
use crate::selector::LabelSelector;
use crate::virtual_service::HttpRetry;

pub use crate::destination_rule::ClientTlsSettings;
pub use proxy_config::{
    ForwardClientCertDetails, GatewayTopology, InterceptionMode, ProxyConfig, ProxyConfigObject,
    ProxyHeaders,
};
pub use visibility::{
    ServiceEntryVisibility, ServiceEntryVisibilityPolicy, Visibility, VisibilityRule,
};

message! {
    /// Settings for the whole mesh, as far as they shape traffic. Absent fields mean Istio's
    /// defaults, see [`MeshConfig::with_defaults`].
    pub struct MeshConfig {
        /// The port that outgoing connections are redirected to.
        pub proxy_listen_port: Option<i32>,
        /// The port that incoming connections are redirected to.
        pub proxy_inbound_listen_port: Option<i32>,
        /// The port of the explicit HTTP proxy; 0 means none.
        pub proxy_http_port: Option<i32>,
        /// The time to make a connection.
        pub connect_timeout: Option<Duration>,
        /// The idle time of HBONE tunnels.
        pub hbone_idle_timeout: Option<Duration>,
        /// Probes on idle connections.
        pub tcp_keepalive: Option<TcpKeepalive>,
        /// How long to wait for the first bytes of a connection; 0 means for ever.
        pub protocol_detection_timeout: Option<Duration>,
        /// What happens to traffic for unknown hosts.
        pub outbound_traffic_policy: Option<MeshOutboundTrafficPolicy>,
        /// Where incoming traffic goes.
        pub inbound_traffic_policy: Option<InboundTrafficPolicy>,
        /// Whether mTLS is used wherever both sides can.
        pub enable_auto_mtls: Option<bool>,
        /// The trust domain of the mesh's identities.
        pub trust_domain: String,
        /// Trust domains that mean the same.
        pub trust_domain_aliases: Vec<String>,
        /// The visibility of services that do not say.
        pub default_service_export_to: Vec<String>,
        /// The visibility of VirtualServices that do not say.
        pub default_virtual_service_export_to: Vec<String>,
        /// The visibility of DestinationRules that do not say.
        pub default_destination_rule_export_to: Vec<String>,
        /// The namespace whose objects are for the whole mesh.
        pub root_namespace: String,
        /// How traffic spreads over localities.
        pub locality_lb_setting: Option<LocalityLbSetting>,
        /// Keeps traffic in the zone.
        pub zone_aware_lb_setting: Option<ZoneAwareLbSetting>,
        /// The time between DNS queries after a failed one.
        pub dns_refresh_rate: Option<Duration>,
        /// Whether to speak HTTP/2 to hosts that do not ask for it.
        pub h2_upgrade_policy: H2UpgradePolicy,
        /// The pattern for statistics of incoming traffic.
        pub inbound_cluster_stat_name: String,
        /// The pattern for statistics of outgoing traffic.
        pub outbound_cluster_stat_name: String,
        /// Settings for single services.
        pub service_settings: Vec<ServiceSettings>,
        /// How paths are made uniform before they are compared.
        pub path_normalization: Option<ProxyPathNormalization>,
        /// Retries for routes that do not say.
        pub default_http_retry_policy: Option<HttpRetry>,
        /// Retries towards the workload's own application.
        pub default_inbound_http_retry_policy: Option<HttpRetry>,
        /// Settings under those of DestinationRules.
        pub default_traffic_policy: Option<DefaultTrafficPolicy>,
        /// Limits on the visibility of ServiceEntries.
        pub service_entry_visibility: Option<ServiceEntryVisibility>,
        /// Namespaces to look at. None means all.
        pub discovery_selectors: Vec<LabelSelector>,
        /// TLS inside the mesh.
        pub mesh_mtls as "meshMTLS": Option<TlsConfig>,
        /// TLS elsewhere.
        pub tls_defaults: Option<TlsConfig>,
        /// The class of Kubernetes Ingress objects that are for the mesh.
        pub ingress_class: String,
        /// Which Ingress objects count.
        pub ingress_controller_mode: IngressControllerMode,
        /// The service of the ingress gateway.
        pub ingress_service: String,
        /// The `istio` label of the ingress gateway.
        pub ingress_selector: String,
        /// The file for access logs; empty means none.
        pub access_log_file: String,
        /// The format of access logs.
        pub access_log_format: String,
        /// The encoding of access logs.
        pub access_log_encoding: AccessLogEncoding,
        /// Settings for all proxies.
        pub default_config: Option<ProxyConfig>,
    }
}

message! {
    /// What happens to traffic for unknown hosts.
    pub struct MeshOutboundTrafficPolicy as "MeshConfig.OutboundTrafficPolicy" {
        /// Whether it passes.
        pub mode: MeshOutboundTrafficMode,
        /// TLS, for `ALLOW_ANY_DYNAMIC_DNS`.
        pub tls: Option<ClientTlsSettings>,
    }
}

enumeration! {
    /// Whether traffic for unknown hosts passes.
    pub enum MeshOutboundTrafficMode as "MeshConfig.OutboundTrafficPolicy.Mode" {
        /// It does not.
        #[default]
        RegistryOnly = 0 "REGISTRY_ONLY",
        /// It does, to the address that the client chose.
        AllowAny = 1 "ALLOW_ANY",
        /// It does, to the address of the host named in the request.
        AllowAnyDynamicDns = 2 "ALLOW_ANY_DYNAMIC_DNS",
    }
}

message! {
    /// Where incoming traffic goes.
    pub struct InboundTrafficPolicy as "MeshConfig.InboundTrafficPolicy" {
        /// To which address.
        pub mode: InboundTrafficMode,
    }
}

enumeration! {
    /// To which address incoming traffic goes.
    pub enum InboundTrafficMode as "MeshConfig.InboundTrafficPolicy.Mode" {
        /// The one that it was sent to.
        #[default]
        Passthrough = 0 "PASSTHROUGH",
        /// The loopback address.
        Localhost = 1 "LOCALHOST",
    }
}

message! {
    /// Settings for some services.
    pub struct ServiceSettings as "MeshConfig.ServiceSettings" {
        /// The settings.
        pub settings: Option<ServiceSettingsFields>,
        /// The services, by name or `*.` and suffix.
        pub hosts: Vec<String>,
    }
}

message! {
    /// Settings for some services.
    pub struct ServiceSettingsFields as "MeshConfig.ServiceSettings.Settings" {
        /// Whether traffic stays in the client's cluster.
        pub cluster_local: bool,
    }
}

message! {
    /// How paths are made uniform before they are compared.
    pub struct ProxyPathNormalization as "MeshConfig.ProxyPathNormalization" {
        /// How far.
        pub normalization: PathNormalization,
    }
}

enumeration! {
    /// How far paths are made uniform.
    pub enum PathNormalization as "MeshConfig.ProxyPathNormalization.NormalizationType" {
        /// As `BASE`.
        #[default]
        Default = 0 "DEFAULT",
        /// Not at all.
        None = 1 "NONE",
        /// RFC 3986, with `\` as `/`.
        Base = 2 "BASE",
        /// That, and slashes in a row become one.
        MergeSlashes = 3 "MERGE_SLASHES",
        /// That, after escaped slashes were unescaped.
        DecodeAndMergeSlashes = 4 "DECODE_AND_MERGE_SLASHES",
    }
}

message! {
    /// Settings under those of DestinationRules.
    pub struct DefaultTrafficPolicy as "MeshConfig.DefaultTrafficPolicy" {
        /// Limits on connections and requests.
        pub connection_pool: Option<ConnectionPoolSettings>,
        /// When endpoints are taken out for failing.
        pub outlier_detection: Option<OutlierDetection>,
    }
}

message! {
    /// Versions, ciphers and curves of TLS.
    pub struct TlsConfig as "MeshConfig.TLSConfig" {
        /// The oldest version.
        pub min_protocol_version: MeshTlsProtocol,
        /// Curves for the key exchange.
        pub ecdh_curves: Vec<String>,
        /// Ciphers for TLS up to 1.2.
        pub cipher_suites: Vec<String>,
    }
}

enumeration! {
    /// Versions of TLS.
    pub enum MeshTlsProtocol as "MeshConfig.TLSConfig.TLSProtocol" {
        /// As the proxy has it.
        #[default]
        TlsAuto = 0 "TLS_AUTO",
        /// TLS 1.2.
        TlsV12 = 3 "TLSV1_2",
        /// TLS 1.3.
        TlsV13 = 4 "TLSV1_3",
    }
}

enumeration! {
    /// Which Ingress objects count.
    pub enum IngressControllerMode as "MeshConfig.IngressControllerMode" {
        /// As Istio has it: those of the class.
        #[default]
        Unspecified = 0 "UNSPECIFIED",
        /// None.
        Off = 1 "OFF",
        /// Those of the class and those without one.
        Default = 2 "DEFAULT",
        /// Those of the class.
        Strict = 3 "STRICT",
    }
}

enumeration! {
    /// The encoding of access logs.
    pub enum AccessLogEncoding as "MeshConfig.AccessLogEncoding" {
        /// Lines of text.
        #[default]
        Text = 0 "TEXT",
        /// Lines of JSON.
        Json = 1 "JSON",
    }
}
