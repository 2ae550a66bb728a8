//! Compiling listeners.

use std::time::Duration;

use pilotage_proto::envoy::config::core::v3::{Address, TrafficDirection};
use pilotage_proto::envoy::config::listener::v3::listener_filter::ConfigType;
use pilotage_proto::envoy::config::listener::v3::listener_filter_chain_match_predicate::Rule;
use pilotage_proto::envoy::config::listener::v3::{
    Listener as Proto, ListenerFilter, ListenerFilterChainMatchPredicate,
};
use pilotage_proto::envoy::extensions::filters::listener::original_src::v3::OriginalSrc;
use pilotage_proto::{type_name, unpack};

use super::{Direction, Inspection, InspectorScope, ListenAddress, ListenerTable, PortPredicate};
use crate::address::{Place, place};
use crate::durations::limit;
use crate::filter_chain::ChainIndex;
use crate::rejection::{FieldError, Warnings};

/// How long inspectors wait where nothing is said.
const DEFAULT_INSPECTION_TIMEOUT: Duration = Duration::from_secs(15);

impl ListenerTable {
    pub(crate) fn compile(proto: &Proto, warnings: &mut Warnings) -> Result<Self, FieldError> {
        let direction = match proto.traffic_direction() {
            TrafficDirection::Unspecified => Direction::Unspecified,
            TrafficDirection::Inbound => Direction::Inbound,
            TrafficDirection::Outbound => Direction::Outbound,
        };
        let more = proto.additional_addresses.iter().map(|a| listen_address(a.address.as_ref()));
        if proto.freebind == Some(true) {
            warnings.note("freebind", "is not obeyed");
        }
        Ok(Self {
            name: proto.name.as_str().into(),
            address: listen_address(proto.address.as_ref())?,
            additional_addresses: more
                .collect::<Result<_, _>>()
                .map_err(|e: FieldError| e.within("additional_addresses"))?,
            bind_to_port: proto.bind_to_port != Some(false),
            use_original_destination: proto.use_original_dst == Some(true),
            transparent: proto.transparent == Some(true),
            direction,
            inspection: inspection(proto)?,
            chains: ChainIndex::compile(proto, direction, warnings)?,
        })
    }
}

fn listen_address(proto: Option<&Address>) -> Result<ListenAddress, FieldError> {
    match place(proto).map_err(|e| e.within("address"))? {
        Place::Socket(address) => Ok(ListenAddress::Socket(address)),
        Place::Pipe(path) => Ok(ListenAddress::Pipe(path)),
        Place::Name(name, _) => {
            let message = format!("`{name}` is no address to listen on");
            Err(FieldError::new("address.socket_address.address", message))
        }
    }
}

fn inspection(proto: &Proto) -> Result<Inspection, FieldError> {
    let timeout = proto.listener_filters_timeout.as_ref();
    let mut inspection = Inspection {
        // Envoy restores the destination by itself for listeners that hand connections on.
        original_destination: proto.use_original_dst == Some(true),
        timeout: limit("listener_filters_timeout", timeout, Some(DEFAULT_INSPECTION_TIMEOUT))?,
        continue_on_timeout: proto.continue_on_listener_filters_timeout,
        ..Inspection::default()
    };
    for (index, filter) in proto.listener_filters.iter().enumerate() {
        let field = format!("listener_filters[{index}]");
        listener_filter(filter, &mut inspection).map_err(|e| e.within(&field))?;
    }
    Ok(inspection)
}

fn listener_filter(filter: &ListenerFilter, inspection: &mut Inspection) -> Result<(), FieldError> {
    let Some(ConfigType::TypedConfig(any)) = &filter.config_type else {
        return Err(FieldError::new("typed_config", "is required"));
    };
    let kind = type_name(any);
    let disabled = filter.filter_disabled.as_ref().map(predicate).transpose()?;
    let scope = InspectorScope { disabled };
    let short = kind.strip_prefix("envoy.extensions.filters.listener.").unwrap_or(kind);
    match short {
        "tls_inspector.v3.TlsInspector" => inspection.tls = Some(scope),
        "http_inspector.v3.HttpInspector" => inspection.http = Some(scope),
        "original_dst.v3.OriginalDst" => inspection.original_destination = true,
        "proxy_protocol.v3.ProxyProtocol" => inspection.proxy_protocol = true,
        "original_src.v3.OriginalSrc" => {
            let config: OriginalSrc =
                unpack(any).map_err(|e| FieldError::new("typed_config", e.to_string()))?;
            inspection.source_mark = Some(config.mark);
        }
        _ => return Err(FieldError::new("", format!("listener filter {kind} is not supported"))),
    }
    Ok(())
}

fn predicate(proto: &ListenerFilterChainMatchPredicate) -> Result<PortPredicate, FieldError> {
    match &proto.rule {
        Some(Rule::OrMatch(set)) => {
            let rules = set.rules.iter().map(predicate);
            Ok(PortPredicate::Any(rules.collect::<Result<_, _>>()?))
        }
        Some(Rule::NotMatch(rule)) => Ok(PortPredicate::Not(Box::new(predicate(rule)?))),
        Some(Rule::DestinationPortRange(range)) => {
            let bound = |value: i32| u32::try_from(value).unwrap_or(0);
            Ok(PortPredicate::Range(bound(range.start)..bound(range.end)))
        }
        None => Err(FieldError::new("filter_disabled", "has no supported rule")),
    }
}

/// The socket address of a listen address.
pub(crate) fn socket(address: &ListenAddress) -> Option<std::net::SocketAddr> {
    match address {
        ListenAddress::Socket(address) => Some(*address),
        ListenAddress::Pipe(_) => None,
    }
}
