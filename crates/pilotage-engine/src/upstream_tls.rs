//! TLS towards upstreams: which context applies to which endpoint.

use std::sync::Arc;

use pilotage_proto::envoy::config::cluster::v3::Cluster;
use pilotage_proto::envoy::config::core::v3::TransportSocket;
use pilotage_proto::envoy::config::core::v3::transport_socket::ConfigType;
use pilotage_proto::envoy::extensions::transport_sockets::proxy_protocol::v3::ProxyProtocolUpstreamTransport;
use pilotage_proto::envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer;
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext;
use pilotage_proto::prost_types::Struct;
use pilotage_proto::{Name, type_name, unpack};

use crate::rejection::FieldError;

/// A TLS context for upstream connections. Equal contexts may share connections.
#[derive(Clone, Debug, PartialEq)]
pub struct UpstreamTls {
    /// Name of the transport socket match it comes from; empty for the cluster's own transport socket.
    pub match_name: Arc<str>,
    /// The context as received: SNI, ALPN, certificates, validation. Secrets are named, not held.
    pub context: UpstreamTlsContext,
}

/// Which TLS context an endpoint gets.
#[derive(Debug, Default)]
pub(crate) struct TlsChoice {
    matches: Vec<(Struct, Option<Arc<UpstreamTls>>)>,
    /// For endpoints that no match fits, and for those without metadata.
    own: Option<Arc<UpstreamTls>>,
    /// Whether the PROXY protocol goes before everything else.
    pub(crate) sends_proxy_protocol: bool,
}

impl TlsChoice {
    pub(crate) fn compile(proto: &Cluster) -> Result<Self, FieldError> {
        let mut choice = Self::default();
        choice.own = choice
            .socket("", proto.transport_socket.as_ref())
            .map_err(|e| e.within("transport_socket"))?;
        for (index, candidate) in proto.transport_socket_matches.iter().enumerate() {
            let tls = choice.socket(&candidate.name, candidate.transport_socket.as_ref()).map_err(
                |e| e.within(format!("transport_socket_matches[{index}].transport_socket")),
            )?;
            choice.matches.push((candidate.r#match.clone().unwrap_or_default(), tls));
        }
        Ok(choice)
    }

    fn socket(
        &mut self,
        name: &str,
        socket: Option<&TransportSocket>,
    ) -> Result<Option<Arc<UpstreamTls>>, FieldError> {
        let Some(socket) = socket else { return Ok(None) };
        let Some(ConfigType::TypedConfig(any)) = &socket.config_type else {
            return Err(FieldError::new("typed_config", "is required"));
        };
        let broken =
            |error: pilotage_proto::AnyError| FieldError::new("typed_config", error.to_string());
        let kind = type_name(any);
        if kind == RawBuffer::full_name() {
            return Ok(None);
        }
        if kind == UpstreamTlsContext::full_name() {
            let context = unpack(any).map_err(broken)?;
            return Ok(Some(Arc::new(UpstreamTls { match_name: name.into(), context })));
        }
        if kind == ProxyProtocolUpstreamTransport::full_name() {
            let outer: ProxyProtocolUpstreamTransport = unpack(any).map_err(broken)?;
            self.sends_proxy_protocol = true;
            return self.socket(name, outer.transport_socket.as_ref());
        }
        Err(FieldError::new("typed_config", format!("transport socket {kind} is not supported")))
    }

    /// The context for an endpoint with this metadata: that of the first match whose every value the metadata has.
    pub(crate) fn choose(&self, metadata: Option<&Struct>) -> Option<Arc<UpstreamTls>> {
        let fits = |wanted: &Struct| {
            wanted.fields.iter().all(|(key, value)| {
                metadata.is_some_and(|metadata| metadata.fields.get(key) == Some(value))
            })
        };
        match self.matches.iter().find(|(wanted, _)| fits(wanted)) {
            Some((_, tls)) => tls.clone(),
            None => self.own.clone(),
        }
    }
}
