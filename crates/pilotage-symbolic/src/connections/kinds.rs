//! Kinds of connections to a destination that the conditions of both sides do not tell apart.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use pilotage_proto::envoy::config::core::v3::CidrRange;
pub(super) use pilotage_proto::envoy::config::listener::v3::FilterChainMatch as ChainMatch;

use super::Connection;
use super::destinations::Destination;
use super::hello::{Hello, hellos};
use crate::budget::TooComplex;

/// Kinds that are looked at for one destination, at most.
const MOST_KINDS: usize = 200_000;

/// A kind: numbers of address, port and what is said first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) address: usize,
    pub(super) port: usize,
    pub(super) hello: usize,
}

/// All kinds of connections to a destination.
#[derive(Debug)]
pub(super) struct Kinds {
    /// Ranges of addresses, each without the smaller ones in it, with an address in each.
    pub(super) addresses: Vec<(Range, IpAddr)>,
    /// Ports; `None` stands for all that are not named.
    pub(super) ports: Vec<(Option<u16>, u16)>,
    pub(super) hellos: Vec<Hello>,
}

impl Kinds {
    /// What `matches` tell apart of connections to `destination`.
    pub(super) fn of(
        destination: &Destination,
        matches: Vec<&ChainMatch>,
    ) -> Result<Self, TooComplex> {
        if matches.iter().any(|one| looks_at_source(one)) {
            return Err(TooComplex);
        }
        let hellos = hellos(&matches);
        let kinds = Self {
            addresses: addresses(destination, &matches),
            ports: ports(destination, &matches),
            hellos,
        };
        let size = kinds.addresses.len() * kinds.ports.len() * kinds.hellos.len();
        if size <= MOST_KINDS { Ok(kinds) } else { Err(TooComplex) }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Kind> {
        let (ports, hellos) = (self.ports.len(), self.hellos.len());
        (0..self.addresses.len()).flat_map(move |address| {
            (0..ports)
                .flat_map(move |port| (0..hellos).map(move |hello| Kind { address, port, hello }))
        })
    }

    /// A connection of this kind.
    pub(super) fn example(&self, kind: Kind) -> Connection {
        let unspecified = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let address = self.addresses.get(kind.address).map_or(unspecified, |(_, example)| *example);
        let port = self.ports.get(kind.port).map_or(0, |(_, example)| *example);
        let hello = self.hellos.get(kind.hello);
        Connection {
            destination: SocketAddr::new(address, port),
            tls: hello.is_some_and(|hello| hello.tls),
            server_name: hello.and_then(|hello| hello.name.example.clone()),
            protocols: hello.map(|hello| hello.protocols.clone()).unwrap_or_default(),
        }
    }
}

/// Whether a condition is about where connections come from, of which there is no model here.
fn looks_at_source(condition: &ChainMatch) -> bool {
    condition.source_type != 0
        || !condition.source_ports.is_empty()
        || !condition.source_prefix_ranges.is_empty()
        || !condition.direct_source_prefix_ranges.is_empty()
}

fn ports(destination: &Destination, matches: &[&ChainMatch]) -> Vec<(Option<u16>, u16)> {
    if let Some(port) = destination.port {
        return vec![(Some(port), port)];
    }
    let named: BTreeSet<u16> = matches
        .iter()
        .filter_map(|one| u16::try_from(one.destination_port?).ok())
        .filter(|port| !destination.other_ports.contains(port))
        .collect();
    let rest = destination.some_port(&named);
    named.into_iter().map(|port| (Some(port), port)).chain([(None, rest)]).collect()
}

/// Addresses from the first to the last, as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Range {
    first: u128,
    last: u128,
    /// Length of the prefix that they share, in bits.
    pub(super) bits: u32,
    ipv6: bool,
}

impl Range {
    fn of(address: IpAddr, bits: u32) -> Self {
        let (number, width) = match address {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        let bits = bits.min(width);
        let free = width - bits;
        let mask = 1_u128.checked_shl(free).map_or(u128::MAX, |end| end - 1);
        let first = number & !mask;
        Self { first, last: first | mask, bits, ipv6: width == 128 }
    }

    fn read(proto: &CidrRange) -> Option<Self> {
        let address = proto.address_prefix.parse().ok()?;
        Some(Self::of(address, proto.prefix_len.unwrap_or(0)))
    }

    fn address(self, number: u128) -> IpAddr {
        match u32::try_from(number) {
            Ok(number) if !self.ipv6 => Ipv4Addr::from(number).into(),
            _ => Ipv6Addr::from(number).into(),
        }
    }

    /// The first address.
    pub(super) fn start(self) -> IpAddr {
        self.address(self.first)
    }
}

fn addresses(destination: &Destination, matches: &[&ChainMatch]) -> Vec<(Range, IpAddr)> {
    if let Some(address) = destination.address {
        return vec![(Range::of(address, u32::MAX), address)];
    }
    let everything: IpAddr = match destination.ipv6 {
        true => Ipv6Addr::UNSPECIFIED.into(),
        false => Ipv4Addr::UNSPECIFIED.into(),
    };
    let mut ranges: BTreeSet<Range> = matches
        .iter()
        .flat_map(|one| &one.prefix_ranges)
        .filter_map(Range::read)
        .filter(|range| range.ipv6 == destination.ipv6)
        .collect();
    ranges.insert(Range::of(everything, 0));
    let others = destination.other_addresses.iter().map(|other| Range::of(*other, u32::MAX));
    let gone: BTreeSet<Range> = others.collect();
    let mut found = Vec::new();
    for range in &ranges {
        let inner = ranges.iter().chain(&gone).filter(|inner| {
            *inner != range && range.first <= inner.first && inner.last <= range.last
        });
        let inner: Vec<&Range> = inner.collect();
        let is_free =
            |number: u128| !inner.iter().any(|inner| (inner.first..=inner.last).contains(&number));
        // What is free begins at the beginning, or behind something that is not.
        let behind = inner.iter().filter_map(|inner| inner.last.checked_add(1));
        let starts = behind.chain([range.first]).filter(|number| *number <= range.last);
        // Rather an ordinary address than one that stands for none.
        let example =
            starts.filter(|number| is_free(*number)).min_by_key(|number| (*number == 0, *number));
        let pleasant = destination.example().ip();
        let liked = Range::of(pleasant, u32::MAX).first;
        let liked = Some(liked)
            .filter(|liked| (range.first..=range.last).contains(liked) && is_free(*liked));
        if let Some(example) = liked.or(example) {
            found.push((*range, range.address(example)));
        }
    }
    found
}
