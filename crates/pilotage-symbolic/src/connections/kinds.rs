//! Kinds of connections to a destination that the conditions of both sides do not tell apart.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub(super) use pilotage_proto::envoy::config::listener::v3::FilterChainMatch as ChainMatch;

use super::Connection;
use super::destinations::Destination;
use super::hello::{Hello, hellos};
use super::ranges::{Range, Share, family, shares};
use super::sources::{self, Source, sources};
use crate::budget::TooComplex;

/// Kinds that are looked at for one destination, at most.
const MOST_KINDS: usize = 200_000;

/// A kind: numbers of address, port, source and what is said first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) address: usize,
    pub(super) port: usize,
    pub(super) source: usize,
    pub(super) hello: usize,
}

/// All kinds of connections to a destination.
#[derive(Debug)]
pub(super) struct Kinds {
    /// Ranges of addresses, each without the smaller ones in it, with an address in each.
    pub(super) addresses: Vec<(Range, IpAddr)>,
    /// Ports; `None` stands for all that are not named.
    pub(super) ports: Vec<(Option<u16>, u16)>,
    pub(super) sources: Vec<Source>,
    pub(super) hellos: Vec<Hello>,
}

impl Kinds {
    /// What `matches` tell apart of connections to `destination`, which may begin with a PROXY header (`proxied`).
    pub(super) fn of(
        destination: &Destination,
        matches: Vec<&ChainMatch>,
        proxied: bool,
    ) -> Result<Self, TooComplex> {
        let hellos = hellos(&matches);
        let kinds = Self {
            addresses: addresses(destination, &matches),
            ports: ports(destination, &matches),
            sources: sources(destination, &matches, proxied)?,
            hellos,
        };
        let places = kinds.addresses.len() * kinds.ports.len() * kinds.sources.len();
        let size = places * kinds.hellos.len();
        if size <= MOST_KINDS { Ok(kinds) } else { Err(TooComplex) }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Kind> {
        let (ports, sources) = (self.ports.len(), self.sources.len());
        let (hellos, addresses) = (self.hellos.len(), self.addresses.len());
        (0..addresses * ports * sources * hellos).map(move |number| {
            let (number, hello) = (number / hellos, number % hellos);
            let (number, source) = (number / sources, number % sources);
            Kind { address: number / ports, port: number % ports, source, hello }
        })
    }

    /// A connection of this kind. `None`: there is none.
    pub(super) fn example(&self, kind: Kind) -> Option<Connection> {
        let unspecified = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let address = self.addresses.get(kind.address).map_or(unspecified, |(_, example)| *example);
        let port = self.ports.get(kind.port).map_or(0, |(_, example)| *example);
        let hello = self.hellos.get(kind.hello);
        let source = self.sources.get(kind.source)?;
        let example = source.example(address)?;
        Some(Connection {
            destination: SocketAddr::new(address, port),
            source: source.is_told_apart().then_some(example),
            tls: hello.is_some_and(|hello| hello.tls),
            server_name: hello.and_then(|hello| hello.name.example.clone()),
            protocols: hello.map(|hello| hello.protocols.clone()).unwrap_or_default(),
        })
    }
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

fn addresses(destination: &Destination, matches: &[&ChainMatch]) -> Vec<(Range, IpAddr)> {
    if let Some(address) = destination.address {
        return vec![(Range::of(address, u32::MAX), address)];
    }
    let mut ranges: BTreeSet<Range> = matches
        .iter()
        .flat_map(|one| &one.prefix_ranges)
        .filter_map(Range::read)
        .filter(|range| range.ipv6 == destination.ipv6)
        .collect();
    ranges.insert(family(destination.ipv6));
    // Connections may come from the address that they go to.
    ranges.extend(sources::named(matches, destination.ipv6));
    let others = destination.other_addresses.iter().map(|other| Range::of(*other, u32::MAX));
    let shares = shares(&ranges, &others.collect(), destination.example().ip());
    let first = |share: Share| Some((share.range, *share.examples.first()?));
    shares.into_iter().filter_map(first).collect()
}
