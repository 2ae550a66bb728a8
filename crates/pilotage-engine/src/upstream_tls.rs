//! TLS towards upstreams: which context applies to which endpoint.

use std::sync::Arc;

use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext;

/// A TLS context for upstream connections. Equal contexts may share connections.
#[derive(Clone, Debug, PartialEq)]
pub struct UpstreamTls {
    /// Name of the transport socket match it comes from; empty for the cluster's own transport socket.
    pub match_name: Arc<str>,
    /// The context as received: SNI, ALPN, certificates, validation. Secrets are named, not held.
    pub context: UpstreamTlsContext,
}
