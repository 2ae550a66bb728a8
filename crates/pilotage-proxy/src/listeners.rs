//! Listening sockets: one group per address, one socket per worker, spread by the kernel (`SO_REUSEPORT`). A Unix socket
//! is one for all workers, who accept from it in turn.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use pilotage_engine::listener::{Direction, ListenAddress, ListenerTable};
use socket2::{Domain, Protocol, Socket, Type};

use crate::config::{InboundPort, ProxyConfig};
use crate::transparent;

/// How many connections may wait to be accepted, per socket.
const BACKLOG: i32 = 4096;

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {}: {source}", text(address))]
pub struct BindError {
    /// The address that was asked for.
    pub address: ListenAddress,
    /// What the system said.
    pub source: io::Error,
}

fn text(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Socket(address) => address.to_string(),
        ListenAddress::Pipe(path) => path.to_string(),
    }
}

/// A listener of the tables, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundListener {
    /// Its name.
    pub name: Arc<str>,
    /// The address that its resource asks for.
    pub wanted: SocketAddr,
    /// The address that it is bound to.
    pub bound: SocketAddr,
    /// What it takes, as a URL says it: `http`, `https`, `tls` or `tcp`.
    pub scheme: &'static str,
    /// It is the one for connections that are redirected on their way to the workload.
    pub takes_redirected: bool,
}

/// Which listeners have a socket of their own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sockets {
    inbound: InboundPort,
    /// Connections on their way out are taken by the outbound port.
    outbound_port: bool,
}

impl Sockets {
    /// As a proxy with this configuration has them.
    pub(crate) fn of(config: &ProxyConfig) -> Self {
        Self { inbound: config.inbound, outbound_port: config.outbound_address.is_some() }
    }

    /// Whether `listener` has one.
    pub(crate) fn has(self, listener: &ListenerTable) -> bool {
        let takes_outbound =
            listener.use_original_destination && listener.direction != Direction::Inbound;
        let elsewhere = match self.inbound {
            InboundPort::AsWritten => takes_outbound && self.outbound_port,
            InboundPort::Closed => takes_outbound || listener.takes_redirected_inbound(),
            InboundPort::At(_) => takes_outbound,
        };
        listener.bind_to_port && !elsewhere
    }
}

/// A listening socket.
#[derive(Debug)]
pub(crate) enum Listening {
    /// Of TCP.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener),
}

/// The file of a Unix socket that is listened on; gone with this.
#[derive(Debug)]
pub(crate) struct SocketFile(pub(crate) Arc<str>);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Somebody may have taken it away.
        fs::remove_file(&*self.0).ok();
    }
}

/// A listening Unix socket at `path` for each worker. A socket that an earlier process has left there is replaced.
///
/// # Errors
/// When there is something else at `path`, or no socket may be made there.
pub(crate) fn bind_unix(
    path: &Arc<str>,
    workers: usize,
) -> Result<(SocketFile, Vec<UnixListener>), BindError> {
    let failed = |source| BindError { address: ListenAddress::Pipe(Arc::clone(path)), source };
    if fs::symlink_metadata(&**path).is_ok_and(|found| found.file_type().is_socket()) {
        fs::remove_file(&**path).map_err(failed)?;
    }
    let first = UnixListener::bind(&**path).map_err(failed)?;
    let file = SocketFile(Arc::clone(path));
    first.set_nonblocking(true).map_err(failed)?;
    let mut group = Vec::new();
    while group.len() + 1 < workers {
        group.push(first.try_clone().map_err(failed)?);
    }
    group.push(first);
    Ok((file, group))
}

/// One listening socket per worker on `address`, for connections to any address if it is `transparent`. Port 0 takes a
/// free port, the same one for all.
///
/// # Errors
/// When the address is taken (by this process too), privileged, or not of this machine.
pub(crate) fn bind_group(
    address: SocketAddr,
    workers: usize,
    transparent: bool,
) -> Result<(SocketAddr, Vec<TcpListener>), BindError> {
    let failed = |source| BindError { address: ListenAddress::Socket(address), source };
    let listen = |address| listen(address, transparent);
    if address.port() != 0 {
        // Sockets that share a port would share it with another process of the same user too, silently: ask first
        // whether the port is free.
        socket(address, false).map_err(failed)?;
    }
    let first = listen(address).map_err(failed)?;
    let chosen = first.local_addr().map_err(failed)?;
    let mut group = vec![first];
    while group.len() < workers.max(1) {
        group.push(listen(chosen).map_err(failed)?);
    }
    Ok((chosen, group))
}

fn listen(address: SocketAddr, transparent: bool) -> io::Result<TcpListener> {
    let socket = socket(address, true)?;
    if transparent {
        transparent::allow(&socket, address)?;
    }
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        // Accepted sockets inherit it, which spares one system call per connection.
        socket.set_tcp_nodelay(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::bind_group;

    #[test]
    fn a_group_shares_one_port_with_nobody_else() {
        let (address, group) = bind_group("127.0.0.1:0".parse().unwrap(), 3, false).unwrap();
        assert_eq!(group.len(), 3);
        assert!(group.iter().all(|l| l.local_addr().unwrap() == address));
        let error = bind_group(address, 1, false).unwrap_err();
        assert_eq!(error.source.kind(), std::io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&address.to_string()));
        drop(group);
        bind_group(address, 1, false).unwrap();
    }
}
