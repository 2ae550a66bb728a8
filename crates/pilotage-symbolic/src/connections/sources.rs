//! Where connections come from, as far as conditions tell it apart.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::destinations::{Destination, client};
use super::kinds::ChainMatch;
use super::ranges::{Range, Share, family, shares};
use crate::budget::TooComplex;

/// Sources that no condition tells apart.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) from: From,
    /// The port, if conditions look at ports; within, `None` stands for all that are not named.
    pub(super) port: Option<(Option<u16>, u16)>,
}

/// Addresses that connections come from.
#[derive(Clone, Debug)]
pub(super) enum From {
    /// Any: nothing looks at them.
    Anywhere,
    /// The one that the connection goes to.
    Destination,
    /// One of these.
    Addresses(Share),
    /// One of these, but not the one that the connection goes to.
    Others(Share),
}

impl Source {
    /// Whether conditions look at it at all.
    pub(super) fn is_told_apart(&self) -> bool {
        self.port.is_some() || !matches!(self.from, From::Anywhere)
    }

    /// An address and port of it, for a connection to `destination`. `None`: there is none.
    pub(super) fn example(&self, destination: IpAddr) -> Option<SocketAddr> {
        let usual = client(SocketAddr::new(destination, 0));
        let address = match &self.from {
            From::Anywhere => usual.ip(),
            From::Destination => destination,
            From::Addresses(share) => *share.examples.first()?,
            From::Others(share) => {
                share.examples.iter().copied().find(|address| *address != destination)?
            }
        };
        Some(SocketAddr::new(address, self.port.map_or(usual.port(), |(_, port)| port)))
    }
}

/// Whether the condition is about where connections come from.
pub(super) fn looks_at_source(condition: &ChainMatch) -> bool {
    looks_at_type(condition)
        || !condition.source_ports.is_empty()
        || !condition.source_prefix_ranges.is_empty()
        || !condition.direct_source_prefix_ranges.is_empty()
}

fn looks_at_type(condition: &ChainMatch) -> bool {
    condition.source_type != 0
}

/// The ranges of sources that `matches` name, of one family, with those of this host if they are told apart.
pub(super) fn named(matches: &[&ChainMatch], ipv6: bool) -> BTreeSet<Range> {
    let proto = matches
        .iter()
        .flat_map(|one| one.source_prefix_ranges.iter().chain(&one.direct_source_prefix_ranges));
    let mut ranges: BTreeSet<Range> =
        proto.filter_map(Range::read).filter(|range| range.ipv6 == ipv6).collect();
    if matches.iter().any(|one| looks_at_type(one)) {
        ranges.insert(match ipv6 {
            true => Range::of(Ipv6Addr::LOCALHOST.into(), u32::MAX),
            false => Range::of(Ipv4Addr::LOCALHOST.into(), 8),
        });
    }
    ranges
}

/// All sources of connections to `destination`. With the PROXY protocol (`proxied`) a connection has two.
pub(super) fn sources(
    destination: &Destination,
    matches: &[&ChainMatch],
    proxied: bool,
) -> Result<Vec<Source>, TooComplex> {
    if !matches.iter().any(|one| looks_at_source(one)) {
        return Ok(vec![Source { from: From::Anywhere, port: None }]);
    }
    if proxied && matches.iter().any(|one| !one.direct_source_prefix_ranges.is_empty()) {
        return Err(TooComplex);
    }
    let is_type_asked = matches.iter().any(|one| looks_at_type(one));
    let mut ranges = named(matches, destination.ipv6);
    let mut from = Vec::new();
    match ranges.is_empty() {
        true => from.push(From::Anywhere),
        false => {
            ranges.insert(family(destination.ipv6));
            let liked = client(destination.example()).ip();
            let found = shares(&ranges, &BTreeSet::new(), liked);
            from.extend(found.into_iter().map(match is_type_asked {
                true => From::Others,
                false => From::Addresses,
            }));
        }
    }
    if is_type_asked {
        from.push(From::Destination);
    }
    let ports = ports(matches);
    let each = from.into_iter().flat_map(|from| {
        ports.iter().map(move |port| Source { from: from.clone(), port: *port }).collect::<Vec<_>>()
    });
    Ok(each.collect())
}

fn ports(matches: &[&ChainMatch]) -> Vec<Option<(Option<u16>, u16)>> {
    let numbers = matches.iter().flat_map(|one| &one.source_ports);
    let named: BTreeSet<u16> = numbers.filter_map(|port| u16::try_from(*port).ok()).collect();
    if named.is_empty() {
        return vec![None];
    }
    let rest = (40_000..=u16::MAX).chain(1..40_000).find(|port| !named.contains(port));
    let rest = rest.map(|port| (None, port));
    named.into_iter().map(|port| (Some(port), port)).chain(rest).map(Some).collect()
}
