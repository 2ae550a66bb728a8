//! What happens to an accepted connection until somebody serves it: where it was going, what its first bytes tell,
//! and which filter chain takes it.

mod client_hello;
mod first_line;
mod inspect;
mod proxy_request;

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use pilotage_engine::Tables;
use pilotage_engine::filter_chain::{ChainAction, ConnectionInfo, FilterChain};
use pilotage_engine::listener::{Direction, ListenAddress, ListenerTable};
use pilotage_engine::server_tls::ServerTls;
use pilotage_engine::tls::TlsSession;
use tokio::net::TcpStream;

pub(crate) use self::inspect::Look;
use self::proxy_request::Opening;
use crate::drain::Open;
use crate::tls::TlsFacts;
use crate::transport::Connection;
use crate::worker::{Entry, Worker};
use crate::{capture, http, tcp, tls, unix};

/// What is known of a connection before its first request or byte is passed on.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    /// The listener that took it. `None` on the outbound port used as an HTTP proxy, where each request says where it
    /// wants to go.
    pub(crate) listener: Option<Arc<str>>,
    /// Where the client wanted to go. Its address is unspecified when nobody knows the name that it asked for.
    pub(crate) destination: SocketAddr,
    /// Where the client is, as a PROXY header says where there is one.
    pub(crate) source: SocketAddr,
    /// The other end of the socket.
    pub(crate) direct_source: SocketAddr,
    /// The mark of connections that go on from the client's own address.
    pub(crate) source_mark: Option<u32>,
    /// What the first bytes told.
    pub(crate) findings: Findings,
    /// Its TLS, when that was ended here.
    pub(crate) tls: Option<Arc<TlsSession>>,
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
///
/// `port` is the one that is listened at: without the kernel's help, connections arrive at no other.
pub(crate) async fn serve(
    worker: Rc<Worker>,
    entry: Entry,
    (stream, peer): (TcpStream, SocketAddr),
    port: Option<u16>,
) {
    let open = worker.drain.open();
    let connections = &worker.metrics.shard.connections;
    connections.total.add(1);
    connections.active.add(1);
    let arrival = Arrival {
        listener: None,
        // Unix sockets have none.
        destination: stream.local_addr().unwrap_or(unix::NO_ADDRESS),
        source: peer,
        direct_source: peer,
        source_mark: None,
        findings: Findings::default(),
        tls: None,
    };
    let admitting = Admitting { worker: &worker, arrival, first: BytesMut::new(), open: &open };
    admitting.enter(&entry, stream, port).await;
    connections.active.sub(1);
}

/// A connection on its way in.
struct Admitting<'a> {
    worker: &'a Rc<Worker>,
    arrival: Arrival,
    /// Read, and to be read again by whoever serves the connection.
    first: BytesMut,
    open: &'a Open,
}

impl Admitting<'_> {
    async fn enter(mut self, entry: &Entry, stream: TcpStream, port: Option<u16>) {
        let tables = self.worker.tables();
        let local = self.arrival.destination;
        let listener = match entry {
            Entry::Outbound => {
                let Some(destination) = capture::original_destination(&stream, local) else {
                    drop(tables);
                    return self.explicit(stream).await;
                };
                self.arrival.destination = destination;
                captured(&tables, destination)
            }
            Entry::Listener(name) => tables.listener(name).map(|listener| {
                if listener.inspection.original_destination {
                    let original = capture::original_destination(&stream, local);
                    // A transparent socket gets connections to all addresses as they are.
                    let kept =
                        (listener.transparent && port != Some(local.port())).then_some(local);
                    let original = original.or(kept);
                    self.arrival.destination = original.unwrap_or_else(|| written(listener, local));
                }
                listener.redirected(&tables, self.arrival.destination)
            }),
        };
        let Some(listener) = listener.map(Arc::clone) else {
            return tcp::refused(self.worker, self.arrival);
        };
        drop(tables);
        self.inspect(&listener, stream).await;
    }

    /// The outbound port as an HTTP proxy.
    async fn explicit(mut self, mut stream: TcpStream) {
        let reading = proxy_request::read(&mut stream, &mut self.first);
        match unless_draining(self.open, reading).await {
            Some(Ok(Opening::Request)) => self.speak_http(Connection::Plain(stream)).await,
            Some(Ok(Opening::Connect(target))) => self.connect(&target, stream).await,
            Some(Ok(Opening::Broken)) => {
                proxy_request::refuse(&mut stream, "400 Bad Request").await.ok();
            }
            Some(Err(_)) | None => {}
        }
    }

    /// The client wants a connection to `target`: from here on it is as if it had been captured on its way there.
    async fn connect(mut self, target: &str, mut stream: TcpStream) {
        let tables = self.worker.tables();
        let destination = proxy_request::resolve(&tables, &self.worker.names, target).await;
        self.arrival.destination = destination;
        let Some(listener) = captured(&tables, destination).map(Arc::clone) else {
            proxy_request::refuse(&mut stream, "404 Not Found").await.ok();
            return tcp::refused(self.worker, self.arrival);
        };
        drop(tables);
        if proxy_request::accept(&mut stream).await.is_ok() {
            self.inspect(&listener, stream).await;
        }
    }

    /// Looks at the first bytes as `listener` asks, and hands the connection to the filter chain that fits.
    async fn inspect(mut self, listener: &Arc<ListenerTable>, mut stream: TcpStream) {
        self.arrival.listener = Some(Arc::clone(&listener.name));
        self.arrival.source_mark = listener.inspection.source_mark;
        let first = std::mem::take(&mut self.first);
        let port = self.arrival.destination.port();
        let looking = inspect::inspect(&mut stream, first, &listener.inspection, port);
        let seen = match unless_draining(self.open, looking).await {
            Some(Ok(seen)) => seen,
            Some(Err(error)) => {
                tracing::debug!(client = %self.arrival.source, %error, "a connection is closed");
                return;
            }
            None => return,
        };
        self.first = seen.first;
        self.arrival.findings = seen.findings;
        if let Some((source, destination)) = seen.addresses {
            self.arrival.source = source;
            self.arrival.destination = destination;
        }
        match self.arrival.chain(listener).map(Arc::clone) {
            Some(chain) => self.hand_over(&chain, stream).await,
            None => tcp::refused(self.worker, self.arrival),
        }
    }

    async fn hand_over(mut self, chain: &FilterChain, stream: TcpStream) {
        let stream = match &chain.tls {
            None => Connection::Plain(stream),
            Some(tls) => {
                let ended = self.end_tls(tls, chain.tls_handshake_timeout, stream).await;
                let Some(stream) = ended else { return };
                stream
            }
        };
        match &chain.action {
            ChainAction::Http(_) => self.speak_http(stream).await,
            ChainAction::Tcp(route) => {
                tcp::serve(self.worker, self.arrival, route, stream, self.first).await;
            }
            ChainAction::Close => {}
        }
    }

    /// Shakes hands with a client that speaks TLS. `None`: that failed, and the connection is closed.
    async fn end_tls(
        &mut self,
        tls: &ServerTls,
        timeout: Option<Duration>,
        stream: TcpStream,
    ) -> Option<Connection> {
        let first = std::mem::take(&mut self.first);
        // Boxed, so that connections without TLS do not carry room for its state.
        let accepting = Box::pin(tls::accept(&self.worker.tls, tls, stream, first, timeout));
        match unless_draining(self.open, accepting).await? {
            Ok(stream) => {
                if let Some(facts) = stream.tls() {
                    let TlsFacts { server_name, application_protocol, session } = facts;
                    tracing::debug!(
                        ?server_name,
                        ?application_protocol,
                        version = session.version,
                        "TLS with a client"
                    );
                    self.arrival.findings.server_name.clone_from(server_name);
                    self.arrival.tls = Some(Arc::clone(session));
                }
                Some(stream)
            }
            Err(error) => {
                self.worker.metrics.shard.connections.tls_errors.add(1);
                let Arrival { source, listener, .. } = &self.arrival;
                tracing::debug!(client = %source, ?listener, %error, "TLS with a client failed");
                None
            }
        }
    }

    async fn speak_http(self, stream: Connection) {
        http::serve(Rc::clone(self.worker), self.arrival, stream, self.first, self.open).await;
    }
}

/// Where a connection that nobody redirected was going: to `listener` itself, at the port that its resource gives, by
/// which its chains know that such a connection would go round in a circle.
fn written(listener: &ListenerTable, local: SocketAddr) -> SocketAddr {
    match &listener.address {
        ListenAddress::Socket(address) => SocketAddr::new(local.ip(), address.port()),
        ListenAddress::Pipe(_) => local,
    }
}

/// The listener for a captured connection to `destination`: its own, or the one for whatever nobody else takes.
fn captured(tables: &Tables, destination: SocketAddr) -> Option<&Arc<ListenerTable>> {
    tables
        .listener_for_destination(destination)
        .or_else(|| tables.listeners().find(|listener| takes_what_nobody_else_takes(listener)))
}

/// Istio's `virtualOutbound`.
pub(crate) fn takes_what_nobody_else_takes(listener: &ListenerTable) -> bool {
    listener.use_original_destination && listener.direction != Direction::Inbound
}

/// The output of `future`, unless the worker is told to drain first.
async fn unless_draining<F: Future>(open: &Open, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match open.should_close(cx) {
        true => Poll::Ready(None),
        false => future.as_mut().poll(cx).map(Some),
    })
    .await
}
