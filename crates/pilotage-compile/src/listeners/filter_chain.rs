//! Filter chains while a listener is put together.

use std::collections::BTreeSet;
use std::net::IpAddr;

use pilotage_proto::envoy::config::core::v3::{CidrRange, Metadata};
use pilotage_proto::envoy::config::listener::v3::filter::ConfigType;
use pilotage_proto::envoy::config::listener::v3::{Filter, FilterChain, FilterChainMatch};
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext;
use pilotage_proto::prost_types::Duration;
use pilotage_proto::{Message, Name, pack};

use crate::address::transport_socket;

/// What the HTTP inspector finds out about plaintext HTTP.
pub(crate) const PLAIN_HTTP: [&str; 2] = ["http/1.1", "h2c"];
/// What proxies of the mesh offer to each other.
pub(crate) const MESH_PROTOCOLS: [&str; 5] =
    ["istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1", "istio-h2"];
/// A connection without TLS.
pub(crate) const PLAINTEXT: &str = "raw_buffer";
/// A connection with TLS.
pub(crate) const TLS: &str = "tls";

/// How long a connection accepted from outside or from the application may take for its handshake.
const CONNECT_TIMEOUT: Duration = Duration { seconds: 15, nanos: 0 };

/// A filter chain: which connections it takes, and what becomes of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chain {
    /// Its name; empty where nothing refers to it.
    pub(crate) name: String,
    /// Which connections it takes.
    pub(crate) matches: Matches,
    /// What becomes of them.
    pub(crate) filters: Vec<Filter>,
    /// TLS that ends here.
    pub(crate) tls: Option<DownstreamTlsContext>,
    /// The object that asks for it.
    pub(crate) metadata: Option<Metadata>,
    /// Whether the time for a handshake is limited.
    pub(crate) limits_handshake: bool,
}

/// Which connections a chain takes. Lists are in their order in the API; all that is given has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Matches {
    /// The port that the client dialled.
    pub(crate) destination_port: Option<u16>,
    /// Addresses and ranges that the client dialled.
    pub(crate) destinations: BTreeSet<String>,
    /// Server names, exact or with a leading `*.`; among others `*` means any.
    pub(crate) server_names: Vec<String>,
    /// With or without TLS; empty means either.
    pub(crate) transport_protocol: &'static str,
    /// Protocols that the client offers or that were found out.
    pub(crate) application_protocols: Vec<&'static str>,
}

impl Matches {
    /// The same in one spelling, so that equal conditions are equal values: names in order, ranges without the bits
    /// that do not count.
    pub(crate) fn canonical(&self) -> Self {
        let mut canonical = self.clone();
        canonical.server_names.sort();
        canonical.destinations = self.destinations.iter().map(|text| network(text)).collect();
        canonical
    }

    /// Plaintext HTTP, as the inspector recognises it.
    pub(crate) fn plain_http() -> Self {
        Self {
            transport_protocol: PLAINTEXT,
            application_protocols: PLAIN_HTTP.to_vec(),
            ..Self::default()
        }
    }

    fn build(&self) -> Option<FilterChainMatch> {
        let mut server_names = self.server_names.clone();
        if server_names.iter().any(|name| name == "*") {
            server_names.clear();
        }
        server_names.sort();
        let built = FilterChainMatch {
            destination_port: self.destination_port.map(u32::from),
            prefix_ranges: self.destinations.iter().filter_map(|text| range(text)).collect(),
            server_names,
            transport_protocol: self.transport_protocol.to_owned(),
            application_protocols: self
                .application_protocols
                .iter()
                .map(|&protocol| protocol.to_owned())
                .collect(),
            ..FilterChainMatch::default()
        };
        (built != FilterChainMatch::default()).then_some(built)
    }
}

impl Chain {
    /// A chain with one network filter.
    pub(crate) fn new(matches: Matches, filters: Vec<Filter>) -> Self {
        Self { matches, filters, ..Self::default() }
    }

    /// The chain as Envoy has it.
    pub(crate) fn build(self) -> FilterChain {
        FilterChain {
            filter_chain_match: self.matches.build(),
            filters: self.filters,
            metadata: self.metadata,
            transport_socket: self
                .tls
                .map(|tls| transport_socket("envoy.transport_sockets.tls", &tls)),
            transport_socket_connect_timeout: self.limits_handshake.then_some(CONNECT_TIMEOUT),
            name: self.name,
        }
    }
}

/// A network filter of this kind.
pub(crate) fn filter<M: Message + Name>(name: &str, config: &M) -> Filter {
    Filter { name: name.to_owned(), config_type: Some(ConfigType::TypedConfig(pack(config))) }
}

/// An address or `address/bits`. The unspecified address stands for no condition, and so does what is no address:
/// validation reports it.
fn range(text: &str) -> Option<CidrRange> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(a, bits)| (a, Some(bits)));
    let ip: IpAddr = address.parse().ok()?;
    let whole = if ip.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        Some(bits) => bits.parse().ok().filter(|bits| *bits <= whole)?,
        None => whole,
    };
    if ip.is_unspecified() && ip.is_ipv4() {
        return None;
    }
    Some(CidrRange { address_prefix: address.to_owned(), prefix_len: Some(bits) })
}

/// `10.0.0.0/8` for `10.1.2.3/8`; what is no range stays as it is.
fn network(text: &str) -> String {
    let Some(range) = range(text) else { return text.to_owned() };
    let bits = range.prefix_len.unwrap_or_default();
    let masked = match range.address_prefix.parse() {
        Ok(IpAddr::V4(ip)) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            IpAddr::V4((ip.to_bits() & mask).into())
        }
        Ok(IpAddr::V6(ip)) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            IpAddr::V6((ip.to_bits() & mask).into())
        }
        Err(_) => return text.to_owned(),
    };
    format!("{masked}/{bits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_condition_is_no_match() {
        assert_eq!(Matches::default().build(), None);
        let any = Matches { server_names: vec!["a.test".into(), "*".into()], ..Matches::default() };
        assert_eq!(any.build(), None);
    }

    #[test]
    fn addresses_become_ranges_in_order() {
        let destinations = ["10.0.0.2", "10.0.0.0/8", "0.0.0.0/0", "nonsense"];
        let destinations = destinations.map(str::to_owned).into();
        let built = Matches { destinations, ..Matches::default() }.build().unwrap();
        let ranges: Vec<_> = built
            .prefix_ranges
            .iter()
            .map(|range| (range.address_prefix.as_str(), range.prefix_len.unwrap()))
            .collect();
        assert_eq!(ranges, [("10.0.0.0", 8), ("10.0.0.2", 32)]);
    }

    #[test]
    fn bits_behind_the_prefix_do_not_count() {
        for (text, expected) in [
            ("10.50.1.7/24", "10.50.1.0/24"),
            ("10.50.1.7", "10.50.1.7/32"),
            ("fd00::7:1/112", "fd00::7:0/112"),
            ("1.2.3.4/0", "0.0.0.0/0"),
        ] {
            assert_eq!(network(text), expected);
        }
    }
}
