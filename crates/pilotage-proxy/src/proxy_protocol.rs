//! The PROXY protocol: a header before a connection's own bytes that says who is at its other end and where it was
//! going. Read from load balancers, written to upstreams.

use std::net::{IpAddr, SocketAddr};

use pilotage_engine::proxy_protocol::ProxyProtocolVersion as Version;

use crate::connection::Look;

/// What version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1.
const MAX_LINE: usize = 108;
/// Length of version 2 up to its addresses.
const FIXED: usize = 16;
/// Version 2 with the command to say who a connection is from.
const PROXY: u8 = 0x21;
/// Version 2 of a connection that speaks for itself.
const LOCAL: u8 = 0x20;
/// Streams over IPv4 and IPv6.
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// A header that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// How many bytes it takes.
    pub(crate) length: usize,
    /// Source and destination; `None` when the sender speaks for itself or does not know.
    pub(crate) addresses: Option<(SocketAddr, SocketAddr)>,
}

/// Reads the header that `bytes` begin with.
pub(crate) fn read(bytes: &[u8]) -> Look<Header> {
    let known = bytes.len().min(SIGNATURE.len());
    if bytes.get(..known) == SIGNATURE.get(..known) {
        return if known < SIGNATURE.len() { Look::Incomplete } else { read_binary(bytes) };
    }
    let known = bytes.len().min(b"PROXY ".len());
    if bytes.get(..known) != b"PROXY ".get(..known) {
        return Look::Other;
    }
    let Some(end) = bytes.windows(2).take(MAX_LINE).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < MAX_LINE { Look::Incomplete } else { Look::Refused };
    };
    let line = bytes.get(..end).and_then(|line| std::str::from_utf8(line).ok());
    match line.and_then(read_line) {
        Some(addresses) => Look::Found(Header { length: end + 2, addresses }),
        None => Look::Refused,
    }
}

/// The addresses of a line of version 1. The outer `None` is a line that breaks the rules.
fn read_line(line: &str) -> Option<Option<(SocketAddr, SocketAddr)>> {
    let words: Vec<&str> = line.split(' ').collect();
    match *words.as_slice() {
        ["PROXY", "UNKNOWN", ..] => Some(None),
        ["PROXY", family, source, destination, source_port, destination_port] => {
            let address = |ip: &str, port: &str| {
                let address = SocketAddr::new(ip.parse().ok()?, port.parse().ok()?);
                (address.is_ipv4() == (family == "TCP4")).then_some(address)
            };
            if !matches!(family, "TCP4" | "TCP6") {
                return None;
            }
            Some(Some((address(source, source_port)?, address(destination, destination_port)?)))
        }
        _ => None,
    }
}

fn read_binary(bytes: &[u8]) -> Look<Header> {
    let Some((fixed, rest)) = bytes.split_at_checked(FIXED) else { return Look::Incomplete };
    let &[command, family, high, low] = fixed.get(SIGNATURE.len()..).unwrap_or_default() else {
        return Look::Refused;
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let Some(data) = rest.get(..length) else { return Look::Incomplete };
    let addresses = match (command, family) {
        (LOCAL, _) => None,
        (PROXY, TCP4) => match addresses::<4>(data) {
            Some(found) => Some(found),
            None => return Look::Refused,
        },
        (PROXY, TCP6) => match addresses::<16>(data) {
            Some(found) => Some(found),
            None => return Look::Refused,
        },
        _ => return Look::Refused,
    };
    Look::Found(Header { length: FIXED + length, addresses })
}

/// Both addresses, of `N` bytes each, and both ports.
fn addresses<const N: usize>(data: &[u8]) -> Option<(SocketAddr, SocketAddr)>
where
    IpAddr: From<[u8; N]>,
{
    let (source, rest) = data.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let (source_port, rest) = rest.split_first_chunk::<2>()?;
    let (destination_port, _more) = rest.split_first_chunk::<2>()?;
    let address =
        |ip: &[u8; N], port: &[u8; 2]| SocketAddr::new((*ip).into(), u16::from_be_bytes(*port));
    Some((address(source, source_port), address(destination, destination_port)))
}

/// The header for a connection from `source` that was going to `destination`.
pub(crate) fn write(version: Version, source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    // One header has one family; an IPv4 address can be written as an IPv6 one.
    let mixed = source.is_ipv4() != destination.is_ipv4();
    let ip = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) if mixed => IpAddr::V6(ip.to_ipv6_mapped()),
        ip => ip,
    };
    let (from, to) = (ip(source), ip(destination));
    if version == Version::V1 {
        let family = if from.is_ipv4() { "TCP4" } else { "TCP6" };
        let (from_port, to_port) = (source.port(), destination.port());
        return format!("PROXY {family} {from} {to} {from_port} {to_port}\r\n").into_bytes();
    }
    let octets = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let family = if from.is_ipv4() { TCP4 } else { TCP6 };
    let ports = [source.port().to_be_bytes(), destination.port().to_be_bytes()].concat();
    let data = [octets(from), octets(to), ports].concat();
    let length = if from.is_ipv4() { 12_u16 } else { 36 };
    [&SIGNATURE[..], &[PROXY, family], &length.to_be_bytes(), &data].concat()
}

#[cfg(test)]
mod tests {
    use super::{Header, SIGNATURE, Version, read, write};

    use crate::connection::Look;

    #[test]
    fn what_is_written_is_read_again() {
        for (source, destination) in [
            ("192.0.2.1:4321", "10.0.0.1:80"),
            ("[2001:db8::1]:1", "[2001:db8::2]:65535"),
            ("192.0.2.1:4321", "[2001:db8::2]:443"),
        ] {
            let addresses = (source.parse().unwrap(), destination.parse().unwrap());
            for version in [Version::V1, Version::V2] {
                let bytes = write(version, addresses.0, addresses.1);
                for end in 1..bytes.len() {
                    assert_eq!(read(&bytes[..end]), Look::Incomplete, "{version:?} {end}");
                }
                let more = [&bytes[..], b"GET /"].concat();
                let Look::Found(header) = read(&more) else { panic!("{version:?} {source}") };
                assert_eq!(header.length, bytes.len());
                let (from, to) = header.addresses.unwrap();
                assert_eq!((from.port(), to), (addresses.0.port(), addresses.1));
                assert_eq!(from.ip().to_canonical(), addresses.0.ip());
            }
        }
    }

    #[test]
    fn the_line_is_as_the_protocol_says() {
        let line =
            write(Version::V1, "192.0.2.1:4321".parse().unwrap(), "10.0.0.1:80".parse().unwrap());
        assert_eq!(line, b"PROXY TCP4 192.0.2.1 10.0.0.1 4321 80\r\n");
    }

    #[test]
    fn senders_may_speak_for_themselves() {
        let none = |length| Look::Found(Header { length, addresses: None });
        assert_eq!(read(b"PROXY UNKNOWN\r\nx"), none(15));
        let local = [&SIGNATURE[..], &[0x20, 0, 0, 3], b"abcx"].concat();
        assert_eq!(read(&local), none(19));
    }

    #[test]
    fn broken_headers_are_refused() {
        assert_eq!(read(b"GET / HTTP/1.1\r\n"), Look::Other);
        for line in [
            "PROXY TCP4 192.0.2.1 10.0.0.1 4321\r\n",
            "PROXY TCP4 2001:db8::1 10.0.0.1 4321 80\r\n",
            "PROXY UDP4 192.0.2.1 10.0.0.1 4321 80\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 4321 65536\r\n",
        ] {
            assert_eq!(read(line.as_bytes()), Look::Refused, "{line}");
        }
        assert_eq!(read(&[b'P'; 200].map(|_| b'P')), Look::Other);
        assert_eq!(read(format!("PROXY TCP4 {}", "1".repeat(200)).as_bytes()), Look::Refused);
        assert_eq!(read(&[&SIGNATURE[..], &[0x21, 0x11, 0, 1, 9]].concat()), Look::Refused);
        assert_eq!(read(&[&SIGNATURE[..], &[0x31, 0x11, 0, 0]].concat()), Look::Refused);
    }
}
