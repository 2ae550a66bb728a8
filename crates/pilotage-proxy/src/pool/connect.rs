//! Opening a connection to an endpoint.

use std::io;
use std::net::SocketAddr;

use pilotage_engine::cluster::ClusterSettings;
use pilotage_engine::endpoint::Endpoint;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpSocket, TcpStream};

use crate::failure::Failure;
use crate::transport::Connection;

/// Connects to `endpoint` as `settings` say.
///
/// # Errors
/// [`Failure::Connect`] and [`Failure::ConnectTimeout`]; the first also for what is not built yet: TLS to upstreams,
/// Unix sockets, and the PROXY protocol.
pub(crate) async fn connect(
    settings: &ClusterSettings,
    endpoint: &Endpoint,
) -> Result<Connection, Failure> {
    let unsupported = |what: &'static str| Failure::Connect { reason: what.into() };
    let Some(address) = endpoint.address.socket() else {
        return Err(unsupported("Unix domain sockets are not supported"));
    };
    if endpoint.tls.is_some() {
        return Err(unsupported("TLS to upstreams is not supported"));
    }
    if settings.sends_proxy_protocol {
        return Err(unsupported("sending the PROXY protocol is not supported"));
    }
    let connecting = connect_tcp(settings, address);
    match tokio::time::timeout(settings.connect_timeout, connecting).await {
        Ok(Ok(stream)) => Ok(Connection::Plain(stream)),
        Ok(Err(error)) => Err(Failure::Connect { reason: reason(&error).into() }),
        Err(_elapsed) => Err(Failure::ConnectTimeout),
    }
}

async fn connect_tcp(settings: &ClusterSettings, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(source) = settings.source_address
        && source.is_ipv4() == address.is_ipv4()
    {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    if let Some(keepalive) = &settings.tcp_keepalive {
        let mut wanted = TcpKeepalive::new();
        if let Some(time) = keepalive.time {
            wanted = wanted.with_time(time);
        }
        if let Some(interval) = keepalive.interval {
            wanted = wanted.with_interval(interval);
        }
        if let Some(probes) = keepalive.probes {
            wanted = wanted.with_retries(probes);
        }
        SockRef::from(&socket).set_tcp_keepalive(&wanted)?;
    }
    TcpSocket::from_std_stream(socket.into()).connect(address).await
}

/// The system's words without Rust's `(os error 111)`.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _code)) => words.to_owned(),
        None => text,
    }
}
