//! Ending TLS on a connection that a client opened.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use pilotage_engine::server_tls::ServerTls;
use rustls::server::Acceptor;
use tokio::net::TcpStream;
use tokio_rustls::{LazyConfigAcceptor, TlsStream};

use super::facts::TlsFacts;
use super::store::TlsStore;
use crate::transport::{Connection, Prefixed};

/// Why a client's connection does not become one with TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AcceptError {
    /// There is no certificate to show, for this reason.
    #[error("{0}")]
    Unconfigured(String),
    /// The client asks for no server name.
    #[error("the client asks for no server name")]
    NoServerName,
    /// The handshake took too long.
    #[error("the handshake took too long")]
    Timeout,
    /// The handshake failed.
    #[error("the handshake failed: {0}")]
    Handshake(#[from] io::Error),
}

/// Ends TLS on `stream`, of which `first` was read already.
///
/// # Errors
/// When the handshake fails or takes longer than `timeout`; the connection is to be closed then.
pub(crate) async fn accept(
    store: &TlsStore,
    tls: &ServerTls,
    stream: TcpStream,
    first: BytesMut,
    timeout: Option<Duration>,
) -> Result<Connection, AcceptError> {
    let accepting = handshake(store, tls, stream, first);
    match timeout {
        None => accepting.await,
        Some(limit) => {
            tokio::time::timeout(limit, accepting).await.unwrap_or(Err(AcceptError::Timeout))
        }
    }
}

async fn handshake(
    store: &TlsStore,
    tls: &ServerTls,
    stream: TcpStream,
    first: BytesMut,
) -> Result<Connection, AcceptError> {
    let context = store.server(tls).map_err(AcceptError::Unconfigured)?;
    let stream = Prefixed::new(first.freeze(), stream);
    let started = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let hello = started.client_hello();
    let server_name: Option<Box<str>> = hello.server_name().map(Into::into);
    if tls.requires_server_name && server_name.is_none() {
        return Err(AcceptError::NoServerName);
    }
    let config = context.config_for(&hello);
    let stream = started.into_stream(config).await?;
    let facts = TlsFacts::new(stream.get_ref().1, server_name.as_deref(), &context.shown);
    Ok(Connection::secured(TlsStream::Server(stream), facts))
}
