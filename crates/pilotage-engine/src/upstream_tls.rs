//! TLS towards upstreams: which context applies to which endpoint.

use std::sync::Arc;

use pilotage_proto::Message;
use pilotage_proto::envoy::config::cluster::v3::Cluster;
use pilotage_proto::envoy::config::core::v3::TransportSocket;
use pilotage_proto::envoy::config::core::v3::transport_socket::ConfigType;
use pilotage_proto::envoy::extensions::transport_sockets::proxy_protocol::v3::ProxyProtocolUpstreamTransport;
use pilotage_proto::envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer;
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext;
use pilotage_proto::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use pilotage_proto::prost_types::Struct;
use pilotage_proto::{Name, type_name, unpack};
use xxhash_rust::xxh64::xxh64;

use crate::proxy_protocol::ProxyProtocolVersion;
use crate::rejection::{FieldError, Warnings};
use crate::tls::TlsSettings;

/// TLS towards an upstream.
#[derive(Clone, Debug)]
pub struct UpstreamTls {
    /// Name of the transport socket match it comes from; empty for the cluster's own transport socket.
    pub match_name: Arc<str>,
    /// Certificates, versions, and what the upstream's certificate has to satisfy.
    pub settings: TlsSettings,
    /// The server name to ask for; empty: none, unless the cluster takes it from the request.
    pub server_name: Arc<str>,
    /// The server name is the endpoint's host name.
    pub server_name_of_endpoint: bool,
    /// The certificate has to be for the server name.
    pub checks_server_name: bool,
    /// Equal for equal contexts, so that connections made with one generation serve the next.
    pub fingerprint: u64,
}

impl UpstreamTls {
    fn compile(
        name: &str,
        proto: &UpstreamTlsContext,
        warnings: &mut Warnings,
    ) -> Result<Self, FieldError> {
        if proto.allow_renegotiation {
            warnings.note("allow_renegotiation", "connections are never renegotiated");
        }
        let common = proto.common_tls_context.as_ref();
        let settings = warnings
            .within("common_tls_context", |w| TlsSettings::compile(common, w))
            .map_err(|e| e.within("common_tls_context"))?;
        Ok(Self {
            match_name: name.into(),
            settings,
            server_name: proto.sni.as_str().into(),
            server_name_of_endpoint: proto.auto_host_sni,
            checks_server_name: proto.auto_sni_san_validation,
            fingerprint: xxh64(&proto.encode_to_vec(), 0).max(1),
        })
    }
}

/// What requests have to do with the server name that their connection asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerNamePolicy {
    /// The server name is the host of the request, where the context has none.
    pub of_request: bool,
    /// The certificate has to be for the host of the request.
    pub checks_certificate: bool,
}

impl ServerNamePolicy {
    pub(crate) fn compile(proto: Option<&HttpProtocolOptions>) -> Result<Self, FieldError> {
        let options = proto.and_then(|proto| proto.upstream_http_protocol_options.as_ref());
        let Some(options) = options else { return Ok(Self::default()) };
        let error = |field: &str, message: &str| {
            Err(FieldError::new(format!("upstream_http_protocol_options.{field}"), message))
        };
        if !options.override_auto_sni_header.is_empty() {
            return error("override_auto_sni_header", "is not supported");
        }
        if options.auto_san_validation && !options.auto_sni {
            return error("auto_san_validation", "is supported together with auto_sni only");
        }
        Ok(Self { of_request: options.auto_sni, checks_certificate: options.auto_san_validation })
    }
}

/// Which TLS context an endpoint gets.
#[derive(Debug, Default)]
pub(crate) struct TlsChoice {
    matches: Vec<(Struct, Option<Arc<UpstreamTls>>)>,
    /// For endpoints that no match fits, and for those without metadata.
    own: Option<Arc<UpstreamTls>>,
    /// The PROXY header that goes before everything else, if any.
    pub(crate) proxy_protocol: Option<ProxyProtocolVersion>,
}

impl TlsChoice {
    pub(crate) fn compile(proto: &Cluster, warnings: &mut Warnings) -> Result<Self, FieldError> {
        let mut choice = Self::default();
        choice.own = warnings
            .within("transport_socket", |w| choice.socket("", proto.transport_socket.as_ref(), w))
            .map_err(|e| e.within("transport_socket"))?;
        for (index, candidate) in proto.transport_socket_matches.iter().enumerate() {
            let field = format!("transport_socket_matches[{index}].transport_socket");
            let socket = candidate.transport_socket.as_ref();
            let tls = warnings
                .within(&field, |w| choice.socket(&candidate.name, socket, w))
                .map_err(|e| e.within(&field))?;
            choice.matches.push((candidate.r#match.clone().unwrap_or_default(), tls));
        }
        Ok(choice)
    }

    fn socket(
        &mut self,
        name: &str,
        socket: Option<&TransportSocket>,
        warnings: &mut Warnings,
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
            let tls = warnings
                .within("typed_config", |w| UpstreamTls::compile(name, &context, w))
                .map_err(|e| e.within("typed_config"))?;
            return Ok(Some(Arc::new(tls)));
        }
        if kind == ProxyProtocolUpstreamTransport::full_name() {
            let outer: ProxyProtocolUpstreamTransport = unpack(any).map_err(broken)?;
            self.proxy_protocol = Some(ProxyProtocolVersion::compile(outer.config.as_ref()));
            return self.socket(name, outer.transport_socket.as_ref(), warnings);
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

    /// All contexts.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<UpstreamTls>> {
        self.matches.iter().filter_map(|(_, tls)| tls.as_ref()).chain(&self.own)
    }
}
