//! `trafficPolicy.connectionPool`: limits on connections and requests.

use crate::duration::Duration;
use crate::message::{enumeration, message};

message! {
    /// Limits on connections and requests to a host.
    pub struct ConnectionPoolSettings {
        /// For all connections.
        pub tcp: Option<TcpSettings>,
        /// For HTTP.
        pub http: Option<HttpSettings>,
    }
}

message! {
    /// Settings for all connections.
    pub struct TcpSettings as "TCPSettings" {
        /// The most connections; 0 means no limit.
        pub max_connections: i32,
        /// The time to make a connection, TLS included. Absent means the mesh default.
        pub connect_timeout: Option<Duration>,
        /// Probes on idle connections.
        pub tcp_keepalive: Option<TcpKeepalive>,
        /// The longest life of a connection.
        pub max_connection_duration: Option<Duration>,
        /// The time after which an idle connection is closed; 0 means never.
        pub idle_timeout: Option<Duration>,
    }
}

message! {
    /// Probes on idle connections. What is absent is as the operating system has it.
    pub struct TcpKeepalive as "TCPSettings.TcpKeepalive" {
        /// Unanswered probes after which a connection is dead.
        pub probes: u32,
        /// Idle time before the first probe.
        pub time: Option<Duration>,
        /// Time between probes.
        pub interval: Option<Duration>,
    }
}

message! {
    /// Settings for HTTP.
    pub struct HttpSettings as "HTTPSettings" {
        /// The most requests waiting for a connection; 0 means no limit.
        pub http1_max_pending_requests: i32,
        /// The most requests under way, with HTTP/1 too; 0 means no limit.
        pub http2_max_requests: i32,
        /// The most requests on one connection; 0 means no limit.
        pub max_requests_per_connection: i32,
        /// The most retries under way; 0 means no limit.
        pub max_retries: i32,
        /// The time after which an idle connection is closed.
        pub idle_timeout: Option<Duration>,
        /// Whether to speak HTTP/2 to hosts that do not ask for it.
        pub h2_upgrade_policy: H2UpgradePolicy,
        /// Whether to speak what the client speaks.
        pub use_client_protocol: bool,
        /// The most streams on one HTTP/2 connection; 0 means the default.
        pub max_concurrent_streams: i32,
        /// Pings on HTTP/2 connections.
        pub http2_keep_alive as "http2KeepAlive": Option<Http2KeepAlive>,
    }
}

message! {
    /// Pings on HTTP/2 connections.
    pub struct Http2KeepAlive as "HTTPSettings.HTTP2KeepAlive" {
        /// Time between pings.
        pub interval: Option<Duration>,
        /// Time to wait for the answer.
        pub timeout: Option<Duration>,
    }
}

enumeration! {
    /// Whether to speak HTTP/2 to hosts that do not ask for it.
    pub enum H2UpgradePolicy {
        /// As the mesh has it.
        #[default]
        Default = 0 "DEFAULT",
        /// No.
        DoNotUpgrade = 1 "DO_NOT_UPGRADE",
        /// Yes.
        Upgrade = 2 "UPGRADE",
    }
}
