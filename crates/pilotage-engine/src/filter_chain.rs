//! Filter chains: which one takes a connection, and what it does with it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext;

use crate::http_manager::HttpManager;
use crate::tcp_route::TcpRoute;

/// What is known of a connection when its filter chain is chosen.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionInfo<'a> {
    /// Where the client wanted to go.
    pub destination: SocketAddr,
    /// Where it comes from, as far as a PROXY header says otherwise than the socket.
    pub source: SocketAddr,
    /// Peer of the socket itself.
    pub direct_source: SocketAddr,
    /// Server name of the TLS client hello.
    pub server_name: Option<&'a str>,
    /// Whether the connection begins with a TLS client hello.
    pub tls: bool,
    /// ALPN protocols offered by a TLS client, or what the HTTP inspector found (`http/1.1`, `http/1.0`, `h2c`).
    pub application_protocols: &'a [&'a str],
}

/// What a filter chain does.
#[derive(Clone, Debug)]
pub enum ChainAction {
    /// Speaks HTTP.
    Http(Arc<HttpManager>),
    /// Forwards bytes.
    Tcp(Arc<TcpRoute>),
    /// Closes the connection: the chain has no filters.
    Close,
}

/// One filter chain.
#[derive(Debug)]
pub struct FilterChain {
    /// Name; may be empty.
    pub name: Arc<str>,
    /// TLS to end before anything else.
    pub tls: Option<Arc<DownstreamTlsContext>>,
    /// How long the TLS handshake may take.
    pub tls_handshake_timeout: Option<Duration>,
    /// What it does.
    pub action: ChainAction,
}

/// Filter chains, found by what is known of a connection.
#[derive(Debug, Default)]
pub(crate) struct ChainIndex {
    chains: Vec<Arc<FilterChain>>,
}

impl ChainIndex {
    pub(crate) fn find(&self, connection: &ConnectionInfo<'_>) -> Option<&Arc<FilterChain>> {
        let _ = connection;
        self.chains.first()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<FilterChain>> {
        self.chains.iter()
    }
}
