//! `trafficPolicy`: settings for all ports, one port or one subset.

use super::{
    ClientTlsSettings, ConnectionPoolSettings, LoadBalancerSettings, OutlierDetection,
    ProxyProtocol, RetryBudget, TunnelSettings,
};
use crate::message::message;
use crate::virtual_service::PortSelector;

message! {
    /// How connections to a host are made, kept and balanced.
    pub struct TrafficPolicy {
        /// How endpoints are chosen.
        pub load_balancer: Option<LoadBalancerSettings>,
        /// Limits on connections and requests.
        pub connection_pool: Option<ConnectionPoolSettings>,
        /// When endpoints are taken out for failing.
        pub outlier_detection: Option<OutlierDetection>,
        /// TLS towards the host. Absent means automatic mTLS.
        pub tls: Option<ClientTlsSettings>,
        /// Settings for single ports, which replace all others there.
        pub port_level_settings: Vec<PortTrafficPolicy>,
        /// Tunnels connections through the host with HTTP.
        pub tunnel: Option<TunnelSettings>,
        /// Tells the host the client's address with the PROXY protocol.
        pub proxy_protocol: Option<ProxyProtocol>,
        /// How many retries may be under way, relative to the traffic.
        pub retry_budget: Option<RetryBudget>,
    }
}

message! {
    /// Settings for one port.
    pub struct PortTrafficPolicy {
        /// The port of the service.
        pub port: Option<PortSelector>,
        /// How endpoints are chosen.
        pub load_balancer: Option<LoadBalancerSettings>,
        /// Limits on connections and requests.
        pub connection_pool: Option<ConnectionPoolSettings>,
        /// When endpoints are taken out for failing.
        pub outlier_detection: Option<OutlierDetection>,
        /// TLS towards the host.
        pub tls: Option<ClientTlsSettings>,
    }
}
