//! The PROXY protocol towards upstreams: in which form they are told who their client is.

use pilotage_proto::envoy::config::core::v3::ProxyProtocolConfig;
use pilotage_proto::envoy::config::core::v3::proxy_protocol_config::Version;

/// Form of the header. xDS: `ProxyProtocolConfig.version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyProtocolVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

impl ProxyProtocolVersion {
    pub(crate) fn compile(proto: Option<&ProxyProtocolConfig>) -> Self {
        match proto.map(ProxyProtocolConfig::version) {
            None | Some(Version::V1) => Self::V1,
            Some(Version::V2) => Self::V2,
        }
    }
}
