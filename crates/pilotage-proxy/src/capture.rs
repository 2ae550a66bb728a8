//! Connections that the kernel redirected here: where they were going.

use std::net::{IpAddr, SocketAddr};

use socket2::SockRef;
use tokio::net::TcpStream;

/// The address that the client of `stream`, accepted at `local`, connected to, where packets are redirected (iptables
/// `REDIRECT`). `None` when it connected to `local` itself, and where the kernel does not track connections.
pub(crate) fn original_destination(stream: &TcpStream, local: SocketAddr) -> Option<SocketAddr> {
    let socket = SockRef::from(stream);
    let is_v4 = match local.ip() {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) => ip.to_ipv4_mapped().is_some(),
    };
    let found = if is_v4 { socket.original_dst_v4() } else { socket.original_dst_v6() };
    let original = found.ok()?.as_socket()?;
    let same = original.port() == local.port() && original.ip() == local.ip().to_canonical();
    (!same).then_some(original)
}
