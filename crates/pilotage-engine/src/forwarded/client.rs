//! Who the client is: `x-forwarded-for` and how far it is believed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::{HeaderName, HeaderValue};

use super::Seen;
use crate::headers::Headers;
use crate::http_manager::HttpManager;
use crate::request::Downstream;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client {
    /// Its address as trusted.
    pub(super) address: SocketAddr,
    /// Whether it is inside the network that is trusted.
    pub(super) internal: bool,
    /// Whether this proxy is the first of ours that sees the request.
    pub(super) edge: bool,
}

impl Client {
    /// Looks at the headers as they arrived, before the peer's address is appended.
    pub(super) fn find(
        manager: &HttpManager,
        seen: &Seen,
        headers: &Headers,
        peer: SocketAddr,
    ) -> Self {
        let hops = usize::try_from(manager.trusted_hops).unwrap_or(usize::MAX);
        let nth_from_end = |headers, hop| {
            if seen.forwarded_for { nth_from_end(headers, hop) } else { None }
        };
        let (found, sole) = if manager.use_remote_address {
            let forwarded = hops.checked_sub(1).and_then(|hop| nth_from_end(headers, hop));
            let sole = !seen.forwarded_for;
            (Some(forwarded.map_or(peer, |(address, _)| address)), sole)
        } else {
            let forwarded = nth_from_end(headers, hops);
            let sole = forwarded.is_some_and(|(_, sole)| sole);
            (forwarded.map(|(address, _)| address), sole)
        };
        let internal = sole && found.is_some_and(|found| is_internal(manager, found.ip()));
        Self {
            address: found.unwrap_or(peer),
            internal,
            edge: !internal && manager.use_remote_address,
        }
    }
}

/// Whether `address` lies in a range that counts as internal. Without such ranges none does.
fn is_internal(manager: &HttpManager, address: IpAddr) -> bool {
    manager.internal_ranges.iter().any(|range| range.contains(address))
}

/// The address `hops` places before the last of `x-forwarded-for`, and whether it is the only one.
fn nth_from_end(headers: &Headers, hops: usize) -> Option<(SocketAddr, bool)> {
    let values: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let address = parse(values.iter().rev().nth(hops)?)?;
    Some((address, values.len() == 1))
}

/// An address with or without a port.
fn parse(text: &str) -> Option<SocketAddr> {
    let ip: Result<IpAddr, _> = text.parse();
    ip.map(|ip| SocketAddr::new(ip, 0)).ok().or_else(|| text.parse().ok())
}

/// Appends the peer's address to `x-forwarded-for`, which is `there` already or not; a loopback peer counts as this
/// host itself.
pub(super) fn append_forwarded_for(
    there: bool,
    headers: &mut Headers,
    downstream: &Downstream<'_>,
) {
    let own = match downstream.forwarded_for {
        Some(value) => value.clone(),
        None => forwarded_for(downstream.peer.ip(), downstream.local.ip()),
    };
    if !there {
        headers.insert(FORWARDED_FOR, own);
        return;
    }
    let mut list = Vec::new();
    for value in headers.get_all(FORWARDED_FOR).chain([&own]) {
        if !list.is_empty() {
            list.push(b',');
        }
        list.extend_from_slice(value.as_bytes());
    }
    if let Ok(value) = HeaderValue::from_bytes(&list) {
        headers.insert(FORWARDED_FOR, value);
    }
}

/// What `x-forwarded-for` is told of `peer`, whose connection came to `local`. A peer on this machine is the machine.
pub fn forwarded_for(peer: IpAddr, local: IpAddr) -> HeaderValue {
    address_value(if peer.is_loopback() { local } else { peer })
}

/// `address` as the value of a header.
pub(super) fn address_value(address: IpAddr) -> HeaderValue {
    let written = match address {
        IpAddr::V4(address) => {
            let (text, length) = v4_text(address);
            HeaderValue::from_bytes(text.get(..length).unwrap_or_default())
        }
        IpAddr::V6(address) => HeaderValue::from_str(&address.to_string()),
    };
    // Digits, dots and colons are always a value.
    written.unwrap_or(HeaderValue::from_static(""))
}

/// `address` as text at the beginning of an array, and its length. Every request of an edge needs this.
fn v4_text(address: Ipv4Addr) -> ([u8; 15], usize) {
    let mut text = [b'.'; 15];
    let mut places = text.iter_mut();
    let mut length = 0;
    let mut push = |byte: u8| {
        if let Some(place) = places.next() {
            *place = byte;
            length += 1;
        }
    };
    for (index, octet) in address.octets().into_iter().enumerate() {
        if index > 0 {
            push(b'.');
        }
        if octet >= 100 {
            push(b'0' + octet / 100);
        }
        if octet >= 10 {
            push(b'0' + octet / 10 % 10);
        }
        push(b'0' + octet % 10);
    }
    (text, length)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::address_value;

    #[test]
    fn addresses_are_written_as_everywhere() {
        for text in ["0.0.0.0", "10.0.9.100", "255.255.255.255", "127.0.0.1", "::1", "2001:db8::7"]
        {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(address_value(address), text);
        }
    }
}
