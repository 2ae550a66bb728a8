//! DestinationRule: how traffic is carried to a host.

pub mod client_tls;
pub mod connection_pool;
pub mod load_balancing;
pub mod locality;
pub mod outlier_detection;
pub mod proxy_protocol;
pub mod retry_budget;
pub mod subset;
pub mod traffic_policy;
pub mod tunnel;

pub use client_tls::{ClientTlsMode, ClientTlsSettings};
pub use connection_pool::{
    ConnectionPoolSettings, H2UpgradePolicy, Http2KeepAlive, HttpSettings, TcpKeepalive,
    TcpSettings,
};
pub use load_balancing::{
    ConsistentHash, HttpCookie, HttpCookieAttribute, LoadBalancerSettings, Maglev, RingHash,
    SimpleLb, WarmupConfiguration,
};
pub use locality::{Distribute, Failover, LocalityLbSetting, ZoneAwareLbSetting};
pub use outlier_detection::OutlierDetection;
pub use proxy_protocol::{ProxyProtocol, ProxyProtocolVersion};
pub use retry_budget::RetryBudget;
pub use subset::Subset;
pub use traffic_policy::{PortTrafficPolicy, TrafficPolicy};
pub use tunnel::TunnelSettings;

use crate::message::message;
use crate::selector::MatchLabels;

message! {
    /// Settings for the traffic to one host, and names for slices of its workloads.
    pub struct DestinationRule {
        /// The host. Short names are completed with the object's own namespace.
        pub host: String,
        /// Settings for all ports and subsets.
        pub traffic_policy: Option<TrafficPolicy>,
        /// Slices of the host's workloads.
        pub subsets: Vec<Subset>,
        /// The namespaces that see this object: `.`, `*` or names. Absent means the mesh default.
        pub export_to: Vec<String>,
        /// The clients that the rule is for. Absent means all.
        pub workload_selector: Option<MatchLabels>,
    }
}
