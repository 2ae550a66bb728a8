//! Sockets with addresses that are not the machine's own (`IP_TRANSPARENT`), as capture by `TPROXY` needs them.

use std::io;
use std::net::SocketAddr;

use socket2::Socket;

/// Lets `socket`, of the family of `address`, take connections for other addresses and start from them.
///
/// # Errors
/// Without leave to do so, in words that say which.
pub(crate) fn allow(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    let set = match address {
        SocketAddr::V4(_) => socket.set_ip_transparent_v4(true),
        SocketAddr::V6(_) => socket.set_ip_transparent_v6(true),
    };
    set.map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let words = "the capability CAP_NET_ADMIN is needed to be transparent (TPROXY)";
            io::Error::new(error.kind(), words)
        }
        _ => error,
    })
}
