//! Filter chains: which one takes a connection, and what it does with it.

mod chain_match;
mod compile;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use self::chain_match::{ChainMatch, STEPS};
use crate::http_manager::HttpManager;
use crate::server_tls::ServerTls;
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
    /// Closes the connection: the chain has no filters, or ends in one that this proxy does not have.
    Close,
}

/// One filter chain.
#[derive(Debug)]
pub struct FilterChain {
    /// Name; may be empty.
    pub name: Arc<str>,
    /// TLS to end before anything else.
    pub tls: Option<Arc<ServerTls>>,
    /// How long the TLS handshake may take.
    pub tls_handshake_timeout: Option<Duration>,
    /// What it does.
    pub action: ChainAction,
}

/// Filter chains, found by what is known of a connection.
#[derive(Debug, Default)]
pub(crate) struct ChainIndex {
    chains: Vec<(ChainMatch, Arc<FilterChain>)>,
    default: Option<Arc<FilterChain>>,
}

impl ChainIndex {
    /// The chain that fits, by Envoy's order of criteria: destination port, destination address, server name, transport
    /// protocol, application protocol, then where the connection comes from. Each step keeps the closest fits.
    pub(crate) fn find(&self, connection: &ConnectionInfo<'_>) -> Option<&Arc<FilterChain>> {
        if let [(only, chain)] = self.chains.as_slice() {
            let fits = STEPS.iter().all(|step| step(only, connection).is_some());
            return if fits { Some(chain) } else { self.default.as_ref() };
        }
        let mut left: Vec<_> = self.chains.iter().collect();
        for step in STEPS {
            let closest = left.iter().filter_map(|(chain, _)| step(chain, connection)).max();
            left.retain(|(chain, _)| closest.is_some() && step(chain, connection) == closest);
        }
        left.first().map(|(_, chain)| chain).or(self.default.as_ref())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<FilterChain>> {
        self.chains.iter().map(|(_, chain)| chain).chain(&self.default)
    }
}
