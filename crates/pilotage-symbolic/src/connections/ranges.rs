//! Ranges of addresses, and what is left of each without the smaller ones in it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pilotage_proto::envoy::config::core::v3::CidrRange;

/// Addresses from the first to the last, as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Range {
    first: u128,
    last: u128,
    /// Length of the prefix that they share, in bits.
    pub(super) bits: u32,
    pub(super) ipv6: bool,
}

impl Range {
    pub(super) fn of(address: IpAddr, bits: u32) -> Self {
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

    pub(super) fn read(proto: &CidrRange) -> Option<Self> {
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

/// All addresses of a family.
pub(super) fn family(ipv6: bool) -> Range {
    let everything: IpAddr = match ipv6 {
        true => Ipv6Addr::UNSPECIFIED.into(),
        false => Ipv4Addr::UNSPECIFIED.into(),
    };
    Range::of(everything, 0)
}

/// A range without the smaller ones in it.
#[derive(Clone, Debug)]
pub(super) struct Share {
    pub(super) range: Range,
    /// One of its addresses, or two where there are so many. Never none.
    pub(super) examples: Vec<IpAddr>,
}

/// What is left of each of `ranges` without those in it and those that are `gone`; `liked` is an example where it can be.
pub(super) fn shares(
    ranges: &BTreeSet<Range>,
    gone: &BTreeSet<Range>,
    liked: IpAddr,
) -> Vec<Share> {
    let liked_number = Range::of(liked, u32::MAX).first;
    let mut found = Vec::new();
    for range in ranges {
        let inner = ranges.iter().chain(gone).filter(|inner| {
            *inner != range && range.first <= inner.first && inner.last <= range.last
        });
        let inner: Vec<&Range> = inner.collect();
        let is_free = |number: &u128| {
            (range.first..=range.last).contains(number)
                && !inner.iter().any(|inner| (inner.first..=inner.last).contains(number))
        };
        // What is free begins at the beginning, or behind something that is not.
        let behind = inner.iter().filter_map(|inner| inner.last.checked_add(1));
        let starts: BTreeSet<u128> = behind.chain([range.first]).filter(is_free).collect();
        let nexts = starts.iter().filter_map(|start| start.checked_add(1)).filter(is_free);
        let mut numbers: Vec<u128> = starts.iter().copied().chain(nexts).collect();
        // Rather an ordinary address than one that stands for none.
        numbers.sort_by_key(|number| (*number == 0, *number));
        if range.ipv6 == liked.is_ipv6() && is_free(&liked_number) {
            numbers.insert(0, liked_number);
        }
        numbers.dedup();
        let examples: Vec<IpAddr> =
            numbers.into_iter().take(2).map(|number| range.address(number)).collect();
        if !examples.is_empty() {
            found.push(Share { range: *range, examples });
        }
    }
    found
}
