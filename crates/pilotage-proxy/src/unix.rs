//! Unix sockets, which read, write and end as those of TCP do, and so pass for them everywhere; they have no addresses and
//! none of the options of TCP.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use tokio::net::{TcpStream, UnixStream};

/// Stands for the address of either end.
pub(crate) const NO_ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// The same connection as what everything else takes.
///
/// # Errors
/// When the runtime does not take it.
pub(crate) fn as_tcp(stream: UnixStream) -> io::Result<TcpStream> {
    TcpStream::from_std(std::net::TcpStream::from(OwnedFd::from(stream.into_std()?)))
}
