//! `trafficPolicy.tunnel`.

use crate::message::message;

message! {
    /// Carries TCP connections inside of HTTP requests.
    pub struct TunnelSettings {
        /// `CONNECT`, the default, or `POST`.
        pub protocol: String,
        /// The host that the tunnel leads to.
        pub target_host: String,
        /// The port that the tunnel leads to.
        pub target_port: u32,
    }
}
