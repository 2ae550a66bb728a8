//! `trafficPolicy.proxyProtocol`.

use crate::message::{enumeration, message};

message! {
    /// Tells the host the client's address.
    pub struct ProxyProtocol {
        /// The version to speak.
        pub version: ProxyProtocolVersion,
    }
}

enumeration! {
    /// Versions of the PROXY protocol.
    pub enum ProxyProtocolVersion as "VERSION" {
        /// The version in text.
        #[default]
        V1 = 0 "V1",
        /// The binary version.
        V2 = 1 "V2",
    }
}
