//! Compiling filter chains.
//!
//! Network filters whose names begin with `istio.` (metadata exchange and other telemetry) and access log settings are
//! accepted and ignored on purpose: they do not change what happens to a connection.

use std::sync::Arc;

use pilotage_proto::envoy::config::core::v3::TransportSocket;
use pilotage_proto::envoy::config::core::v3::transport_socket::ConfigType as SocketConfig;
use pilotage_proto::envoy::config::listener::v3::filter::ConfigType;
use pilotage_proto::envoy::config::listener::v3::{Filter, FilterChain as Proto, Listener};
use pilotage_proto::envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
use pilotage_proto::envoy::extensions::filters::network::sni_cluster::v3::SniCluster;
use pilotage_proto::envoy::extensions::filters::network::sni_dynamic_forward_proxy::v3::FilterConfig as SniForwarding;
use pilotage_proto::envoy::extensions::filters::network::sni_dynamic_forward_proxy::v3::filter_config::PortSpecifier;
use pilotage_proto::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
use pilotage_proto::envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer;
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext;
use pilotage_proto::{Any, Name, type_name, unpack};

use super::chain_match::ChainMatch;
use super::{ChainAction, ChainIndex, FilterChain};
use crate::durations::optional;
use crate::http_manager::HttpManager;
use crate::listener::Direction;
use crate::rejection::{FieldError, Warnings};
use crate::server_tls::ServerTls;
use crate::tcp_route::{ByServerName, TcpRoute};

impl ChainIndex {
    pub(crate) fn compile(
        proto: &Listener,
        direction: Direction,
        warnings: &mut Warnings,
    ) -> Result<Self, FieldError> {
        let mut index = Self::default();
        for (number, chain) in proto.filter_chains.iter().enumerate() {
            let field = format!("filter_chains[{number}]");
            let inside = |e: FieldError| e.within(&field);
            let criteria = ChainMatch::compile(chain.filter_chain_match.as_ref())
                .map_err(|e| e.within("filter_chain_match"))
                .map_err(inside)?;
            let compiled = warnings
                .within(&field, |w| FilterChain::compile(chain, direction, w))
                .map_err(inside)?;
            index.chains.push((criteria, Arc::new(compiled)));
        }
        if let Some(chain) = &proto.default_filter_chain {
            let compiled = warnings
                .within("default_filter_chain", |w| FilterChain::compile(chain, direction, w))
                .map_err(|e| e.within("default_filter_chain"))?;
            index.default = Some(Arc::new(compiled));
        }
        Ok(index)
    }
}

impl FilterChain {
    fn compile(
        proto: &Proto,
        direction: Direction,
        warnings: &mut Warnings,
    ) -> Result<Self, FieldError> {
        let (mut action, mut server_name) = (ChainAction::Close, ByServerName::default());
        for (index, filter) in proto.filters.iter().enumerate() {
            let field = format!("filters[{index}]");
            let compiled = warnings
                .within(&field, |w| network_filter(filter, direction, &mut server_name, w))
                .map_err(|e| e.within(&field))?;
            if let Some(terminal) = compiled {
                action = terminal;
            }
        }
        let timeout = proto.transport_socket_connect_timeout.as_ref();
        Ok(Self {
            name: proto.name.as_str().into(),
            tls: warnings
                .within("transport_socket", |w| tls(proto.transport_socket.as_ref(), w))
                .map_err(|e| e.within("transport_socket"))?,
            tls_handshake_timeout: optional("transport_socket_connect_timeout", timeout)?
                .filter(|timeout| !timeout.is_zero()),
            action,
        })
    }
}

/// What a network filter does at the end of the chain. `None`: it is not one of those that end it; then `server_name`
/// has what it said about the server name that clients ask for in TLS.
fn network_filter(
    filter: &Filter,
    direction: Direction,
    server_name: &mut ByServerName,
    warnings: &mut Warnings,
) -> Result<Option<ChainAction>, FieldError> {
    if filter.name.starts_with("istio.") {
        return Ok(None);
    }
    let Some(ConfigType::TypedConfig(any)) = &filter.config_type else {
        return Err(FieldError::new("typed_config", "is required"));
    };
    let kind = type_name(any);
    if kind == HttpConnectionManager::full_name() {
        let manager = HttpManager::compile(&read(any)?, direction, warnings)?;
        return Ok(Some(ChainAction::Http(Arc::new(manager))));
    }
    if kind == TcpProxy::full_name() {
        let route = TcpRoute::compile(&read(any)?, *server_name, warnings)?;
        return Ok(Some(ChainAction::Tcp(Arc::new(route))));
    }
    if kind == SniForwarding::full_name() {
        let SniForwarding { port_specifier, dns_cache_config: _ } = read(any)?;
        let Some(PortSpecifier::PortValue(port)) = port_specifier else {
            return Err(FieldError::new("port_specifier", "is required"));
        };
        let port = u16::try_from(port);
        server_name.server_port =
            Some(port.map_err(|_| FieldError::new("port_value", "must not be above 65535"))?);
        return Ok(None);
    }
    if kind == SniCluster::full_name() {
        let SniCluster {} = read(any)?;
        server_name.is_cluster = true;
        return Ok(None);
    }
    match kind {
        "envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy" => {
            warnings.note("", "MongoDB traffic is forwarded, and not looked into");
            Ok(None)
        }
        _ => Err(FieldError::new("", format!("network filter {kind} is not supported"))),
    }
}

fn read<M: pilotage_proto::Message + Name + Default>(any: &Any) -> Result<M, FieldError> {
    unpack(any).map_err(|error| FieldError::new("typed_config", error.to_string()))
}

fn tls(
    socket: Option<&TransportSocket>,
    warnings: &mut Warnings,
) -> Result<Option<Arc<ServerTls>>, FieldError> {
    let Some(socket) = socket else { return Ok(None) };
    let Some(SocketConfig::TypedConfig(any)) = &socket.config_type else {
        return Err(FieldError::new("typed_config", "is required"));
    };
    if type_name(any) == RawBuffer::full_name() {
        return Ok(None);
    }
    if type_name(any) == DownstreamTlsContext::full_name() {
        let context: DownstreamTlsContext = read(any)?;
        let tls = warnings
            .within("typed_config", |w| ServerTls::compile(&context, w))
            .map_err(|e| e.within("typed_config"))?;
        return Ok(Some(Arc::new(tls)));
    }
    let message = format!("transport socket {} is not supported", type_name(any));
    Err(FieldError::new("typed_config", message))
}
