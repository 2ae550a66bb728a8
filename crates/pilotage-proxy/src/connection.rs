//! What happens to an accepted connection until somebody serves it: where it was going, what its first bytes tell,
//! and which filter chain takes it.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::BytesMut;
use pilotage_engine::filter_chain::{ConnectionInfo, FilterChain};
use pilotage_engine::listener::ListenerTable;
use tokio::net::TcpStream;

use crate::http;
use crate::transport::Connection;
use crate::worker::{Entry, Worker};

/// What is known of a connection before its first request or byte is passed on.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    /// The listener that took it. `None` on the outbound port used as an HTTP proxy, where each request says where it
    /// wants to go.
    pub(crate) listener: Option<Arc<str>>,
    /// Where the client wanted to go.
    pub(crate) destination: SocketAddr,
    /// Where the client is, as a PROXY header says where there is one.
    pub(crate) source: SocketAddr,
    /// The other end of the socket.
    pub(crate) direct_source: SocketAddr,
    /// What the first bytes told.
    pub(crate) findings: Findings,
    /// Whether its TLS was ended here.
    pub(crate) tls_ended: bool,
}

/// What the first bytes of a connection tell, as far as its listener asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// It begins with a TLS client hello.
    pub(crate) tls: bool,
    /// Server name of the client hello.
    pub(crate) server_name: Option<Box<str>>,
    /// ALPN protocols of the client hello, or the kind of HTTP that is spoken.
    pub(crate) protocols: Vec<Box<str>>,
}

impl Arrival {
    /// The chain of `listener` for this connection.
    pub(crate) fn chain<'l>(&self, listener: &'l ListenerTable) -> Option<&'l Arc<FilterChain>> {
        let protocols: Vec<&str> = self.findings.protocols.iter().map(|name| &**name).collect();
        listener.chain(&ConnectionInfo {
            destination: self.destination,
            source: self.source,
            direct_source: self.direct_source,
            server_name: self.findings.server_name.as_deref(),
            tls: self.findings.tls,
            application_protocols: &protocols,
        })
    }
}

/// Serves one accepted connection until it closes.
pub(crate) async fn serve(worker: Rc<Worker>, entry: Entry, stream: TcpStream, peer: SocketAddr) {
    let open = worker.drain.open();
    let connections = &worker.metrics.shard.connections;
    connections.total.add(1);
    connections.active.add(1);
    if let Ok(local) = stream.local_addr() {
        let arrival = Arrival {
            listener: match entry {
                Entry::Outbound => None,
                Entry::Listener(name) => Some(name),
            },
            destination: local,
            source: peer,
            direct_source: peer,
            findings: Findings::default(),
            tls_ended: false,
        };
        let stream = Connection::Plain(stream);
        http::serve(Rc::clone(&worker), arrival, stream, BytesMut::new(), &open).await;
    }
    connections.active.sub(1);
}
