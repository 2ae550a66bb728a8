//! Which connections a filter chain is for.

use std::net::IpAddr;

use pilotage_proto::envoy::config::listener::v3::FilterChainMatch as Proto;
use pilotage_proto::envoy::config::listener::v3::filter_chain_match::ConnectionSourceType;

use super::ConnectionInfo;
use crate::address::Cidr;
use crate::rejection::FieldError;

/// The conditions of one chain. An empty condition fits everything, less closely than any that is set.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ChainMatch {
    port: Option<u16>,
    destinations: Vec<Cidr>,
    server_names: Vec<Box<str>>,
    transport: Box<str>,
    protocols: Vec<Box<str>>,
    direct_sources: Vec<Cidr>,
    source: SourceType,
    sources: Vec<Cidr>,
    source_ports: Vec<u16>,
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum SourceType {
    #[default]
    Any,
    SameHost,
    External,
}

/// The steps by which a chain is chosen. At each step the chains that fit most closely stay; there is no way back.
pub(super) const STEPS: &[fn(&ChainMatch, &ConnectionInfo<'_>) -> Option<usize>] = &[
    |chain, connection| exact(chain.port.as_slice(), connection.destination.port()),
    |chain, connection| longest(&chain.destinations, connection.destination.ip()),
    |chain, connection| server_name(&chain.server_names, connection.server_name),
    |chain, connection| transport(&chain.transport, connection.tls),
    |chain, connection| protocol(&chain.protocols, connection.application_protocols),
    |chain, connection| longest(&chain.direct_sources, connection.direct_source.ip()),
    |chain, connection| source_type(chain.source, connection),
    |chain, connection| longest(&chain.sources, connection.source.ip()),
    |chain, connection| exact(&chain.source_ports, connection.source.port()),
];

impl ChainMatch {
    pub(super) fn compile(proto: Option<&Proto>) -> Result<Self, FieldError> {
        let Some(proto) = proto else { return Ok(Self::default()) };
        let port = |field: &str, port: u32| {
            u16::try_from(port).map_err(|_| FieldError::new(field, "must not be above 65535"))
        };
        for name in &proto.server_names {
            if name.contains('*') && name != "*" && !name.starts_with("*.") {
                let message = format!("`{name}`: only a whole first label may be a wildcard");
                return Err(FieldError::new("server_names", message));
            }
        }
        let source_ports = proto.source_ports.iter().map(|p| port("source_ports", *p));
        Ok(Self {
            port: proto.destination_port.map(|p| port("destination_port", p)).transpose()?,
            destinations: Cidr::list("prefix_ranges", &proto.prefix_ranges)?,
            server_names: proto
                .server_names
                .iter()
                .map(|n| n.to_ascii_lowercase().into())
                .collect(),
            transport: proto.transport_protocol.as_str().into(),
            protocols: proto.application_protocols.iter().map(|p| p.as_str().into()).collect(),
            direct_sources: Cidr::list(
                "direct_source_prefix_ranges",
                &proto.direct_source_prefix_ranges,
            )?,
            source: match proto.source_type() {
                ConnectionSourceType::Any => SourceType::Any,
                ConnectionSourceType::SameIpOrLoopback => SourceType::SameHost,
                ConnectionSourceType::External => SourceType::External,
            },
            sources: Cidr::list("source_prefix_ranges", &proto.source_prefix_ranges)?,
            source_ports: source_ports.collect::<Result<_, _>>()?,
        })
    }
}

// Each of these says how closely a condition fits: `None` not at all, 0 because it is not set, more is closer.

fn exact(wanted: &[u16], port: u16) -> Option<usize> {
    if wanted.is_empty() { Some(0) } else { wanted.contains(&port).then_some(1) }
}

fn longest(ranges: &[Cidr], address: IpAddr) -> Option<usize> {
    if ranges.is_empty() {
        return Some(0);
    }
    // A range of everything fits as loosely as none.
    ranges.iter().filter(|r| r.contains(address)).map(|r| usize::from(r.bits())).max()
}

fn server_name(wanted: &[Box<str>], name: Option<&str>) -> Option<usize> {
    if wanted.is_empty() {
        return Some(0);
    }
    let name = name.unwrap_or_default().to_ascii_lowercase();
    let closeness = |wanted: &str| match wanted.strip_prefix('*') {
        Some("") => Some(0),
        // The wildcard stands for at least one character before the dot.
        Some(suffix) => {
            (name.len() > suffix.len() && name.ends_with(suffix)).then_some(suffix.len())
        }
        None => (name == wanted).then_some(usize::MAX),
    };
    wanted.iter().filter_map(|wanted| closeness(wanted)).max()
}

fn transport(wanted: &str, tls: bool) -> Option<usize> {
    match wanted {
        "" => Some(0),
        "tls" => tls.then_some(1),
        "raw_buffer" => (!tls).then_some(1),
        _ => None,
    }
}

/// The first protocol that the client offers and any chain has decides, so earlier ones fit more closely.
fn protocol(wanted: &[Box<str>], offered: &[&str]) -> Option<usize> {
    if wanted.is_empty() {
        return Some(0);
    }
    let place = offered.iter().position(|offer| wanted.iter().any(|w| &**w == *offer))?;
    Some(usize::MAX - place)
}

fn source_type(wanted: SourceType, connection: &ConnectionInfo<'_>) -> Option<usize> {
    let source = connection.source.ip();
    let same_host = source.is_loopback() || source == connection.destination.ip();
    match wanted {
        SourceType::Any => Some(0),
        SourceType::SameHost => same_host.then_some(1),
        SourceType::External => (!same_host).then_some(1),
    }
}
