//! Where connections go to, as far as it decides which listener takes them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use pilotage_engine::Tables;
use pilotage_engine::listener::ListenAddress;

use super::Entry;

/// Destinations whose connections one listener takes, on either side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    /// The one address; `None`: all of the family but `other_addresses`.
    pub(super) address: Option<IpAddr>,
    pub(super) other_addresses: BTreeSet<IpAddr>,
    /// The one port; `None`: all but `other_ports`.
    pub(super) port: Option<u16>,
    pub(super) other_ports: BTreeSet<u16>,
    pub(super) ipv6: bool,
}

/// The client of connections, where it makes no difference where they come from.
pub(super) fn client(destination: SocketAddr) -> SocketAddr {
    match destination {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 40_000)),
        SocketAddr::V6(_) => {
            SocketAddr::from((Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 40_000))
        }
    }
}

impl Destination {
    fn anywhere(ipv6: bool) -> Self {
        Self {
            address: None,
            other_addresses: BTreeSet::new(),
            port: None,
            other_ports: BTreeSet::new(),
            ipv6,
        }
    }

    /// An address and port of it.
    pub(super) fn example(&self) -> SocketAddr {
        let address = self.address.or_else(|| {
            let first: IpAddr = match self.ipv6 {
                true => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9).into(),
                false => Ipv4Addr::new(198, 51, 100, 1).into(),
            };
            std::iter::successors(Some(first), |address| Some(next(*address)))
                .find(|address| !self.other_addresses.contains(address))
        });
        let any: IpAddr =
            if self.ipv6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
        SocketAddr::new(address.unwrap_or(any), self.some_port(&BTreeSet::new()))
    }

    /// A port of it that is not in `others` either.
    pub(super) fn some_port(&self, others: &BTreeSet<u16>) -> u16 {
        let is_free = |port: &u16| !self.other_ports.contains(port) && !others.contains(port);
        self.port.or_else(|| (5000..=u16::MAX).chain(1..5000).find(is_free)).unwrap_or(0)
    }
}

/// The address after this one.
fn next(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => Ipv4Addr::from(u32::from(address).wrapping_add(1)).into(),
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address).wrapping_add(1)).into(),
    }
}

/// All destinations of connections that arrive at `address`, where `entry` listens.
pub(super) fn destinations(
    tables: [&Tables; 2],
    address: SocketAddr,
    entry: Entry<'_>,
) -> Vec<Destination> {
    let any = |property: fn(&pilotage_engine::listener::ListenerTable) -> bool| {
        entry.iter().flatten().any(|listener| property(listener))
    };
    if any(|listener| listener.use_original_destination) {
        return redirected(tables);
    }
    let own = Destination {
        address: Some(address.ip()).filter(|ip| !ip.is_unspecified()),
        port: Some(address.port()),
        ..Destination::anywhere(address.is_ipv6())
    };
    if any(|listener| listener.inspection.original_destination) {
        return [false, true].map(Destination::anywhere).into();
    }
    vec![own]
}

/// All destinations of connections that are handed to the listener of their destination.
fn redirected(tables: [&Tables; 2]) -> Vec<Destination> {
    let all = tables.into_iter().flat_map(Tables::listeners).flat_map(|listener| {
        std::iter::once(&listener.address).chain(&listener.additional_addresses)
    });
    let sockets: BTreeSet<SocketAddr> = all
        .filter_map(|address| match address {
            ListenAddress::Socket(socket) => Some(*socket),
            ListenAddress::Pipe(_) => None,
        })
        .collect();
    let mut found = Vec::new();
    for socket in &sockets {
        let family = Destination::anywhere(socket.is_ipv6());
        let port = Some(socket.port());
        found.push(match socket.ip().is_unspecified() {
            false => Destination { address: Some(socket.ip()), port, ..family },
            true => {
                let others = sockets.iter().filter(|other| other.port() == socket.port());
                let others = others.map(SocketAddr::ip).filter(|ip| !ip.is_unspecified());
                let others = others.filter(|ip| ip.is_ipv6() == socket.is_ipv6());
                Destination { port, other_addresses: others.collect(), ..family }
            }
        });
    }
    // Ports at which something listens on single addresses only belong to the rest as well, but for these addresses.
    for ipv6 in [false, true] {
        let of_family = || sockets.iter().filter(move |socket| socket.is_ipv6() == ipv6);
        let ports: BTreeSet<u16> = of_family().map(SocketAddr::port).collect();
        for port in &ports {
            let here = || of_family().filter(|socket| socket.port() == *port).map(SocketAddr::ip);
            if !here().any(|ip| ip.is_unspecified()) {
                found.push(Destination {
                    port: Some(*port),
                    other_addresses: here().collect(),
                    ..Destination::anywhere(ipv6)
                });
            }
        }
        found.push(Destination { other_ports: ports, ..Destination::anywhere(ipv6) });
    }
    found
}
