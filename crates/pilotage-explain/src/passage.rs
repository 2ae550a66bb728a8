//! One request on its way through a proxy: listener, filter chain, connection manager, decision.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{Method, Version};
use pilotage_engine::filter_chain::{ChainAction, ConnectionInfo, FilterChain};
use pilotage_engine::forwarded::{self, Arrived};
use pilotage_engine::headers::Headers;
use pilotage_engine::http_manager::HttpManager;
use pilotage_engine::listener::ListenerTable;
use pilotage_engine::request::{Downstream, RequestHead};
use pilotage_engine::tcp_route::TcpRoute;
use pilotage_engine::tls::TlsSession;
use pilotage_engine::{Decision, Env, Tables, Trace, decide};

use crate::request::{Arrival, ClientTls, Request};

/// Where a request got to.
#[derive(Debug)]
pub struct Passage<'t> {
    /// The listener that took the connection.
    pub listener: Option<&'t Arc<ListenerTable>>,
    /// Its filter chain for the connection.
    pub chain: Option<&'t Arc<FilterChain>>,
    /// What became of it.
    pub end: End<'t>,
}

/// What became of a request, or of the connection before there was one.
#[derive(Debug)]
pub enum End<'t> {
    /// Nothing listens there.
    NoListener,
    /// The listener has no filter chain for such a connection.
    NoFilterChain,
    /// The filter chain closes what it takes.
    Closed,
    /// A client certificate is demanded, and there is none. For raw bytes with where they would have gone.
    NoCertificate(Option<&'t TcpRoute>),
    /// HTTP is expected and something else is sent, for instance TLS that nobody ends.
    NotHttp,
    /// HTTP/1 has no such method, and the request is refused.
    UnknownMethod,
    /// Bytes are forwarded to one of these clusters.
    Tcp(&'t TcpRoute),
    /// A request was decided.
    Http(Box<HttpEnd<'t>>),
}

/// A request that got to a connection manager.
#[derive(Debug)]
pub struct HttpEnd<'t> {
    /// The connection manager.
    pub manager: &'t Arc<HttpManager>,
    /// The request as it was routed; nothing when it was answered before that.
    pub head: Option<RoutedHead>,
    /// What becomes of it.
    pub decision: Decision,
}

/// The head of a request after [`forwarded::prepare`].
#[derive(Clone, Debug)]
pub struct RoutedHead {
    /// Method.
    pub method: Method,
    /// `http` or `https`.
    pub scheme: String,
    /// Authority to route by.
    pub authority: String,
    /// Path and query to route by.
    pub path: String,
    /// Version.
    pub version: Version,
    /// Headers.
    pub headers: Headers,
    /// The client as trusted.
    pub client: SocketAddr,
    /// Peer of the connection.
    pub peer: SocketAddr,
    /// Where the connection went.
    pub local: SocketAddr,
    /// Whether this proxy ended the client's TLS.
    pub tls: bool,
    /// Server name of the client hello.
    pub server_name: Option<String>,
    /// What the handshake has shown.
    pub session: Option<Arc<TlsSession>>,
}

impl RoutedHead {
    /// Gives the head to `use_it` in the form that the engine takes.
    pub fn with<R>(&self, use_it: impl FnOnce(&RequestHead<'_>) -> R) -> R {
        let downstream = Downstream {
            tls: self.tls,
            server_name: self.server_name.as_deref(),
            session: self.session.as_deref(),
            ..Downstream::plain(self.peer, self.local)
        };
        use_it(&RequestHead {
            method: &self.method,
            scheme: &self.scheme,
            authority: &self.authority,
            path: &self.path,
            version: self.version,
            headers: &self.headers,
            downstream: &downstream,
            client: self.client,
            metadata: None,
        })
    }
}

/// Carries `request` through `tables` as the proxy does that they belong to. `trace` hears how it was decided; where no
/// connection manager is reached, it hears nothing.
pub fn carry<'t>(
    tables: &'t Tables,
    arrival: &Arrival,
    request: &Request,
    env: &mut Env<'_>,
    trace: &mut impl Trace,
) -> Passage<'t> {
    let Some(listener) = listener(tables, arrival) else {
        return Passage { listener: None, chain: None, end: End::NoListener };
    };
    let Some(chain) = chain(listener, arrival, request) else {
        return Passage { listener: Some(listener), chain: None, end: End::NoFilterChain };
    };
    let demands_certificate = chain.tls.as_ref().is_some_and(|tls| tls.requires_certificate);
    let lacks_certificate = demands_certificate && request.tls == ClientTls::Tls;
    let end = match &chain.action {
        ChainAction::Close => End::Closed,
        ChainAction::Tcp(route) if lacks_certificate => End::NoCertificate(Some(route)),
        ChainAction::Tcp(route) => End::Tcp(route),
        ChainAction::Http(_) if lacks_certificate => End::NoCertificate(None),
        // Nobody ends the client's TLS, or the client sends other bytes.
        ChainAction::Http(_) if !request.is_http() || request.is_tls() != chain.tls.is_some() => {
            End::NotHttp
        }
        ChainAction::Http(_) if request.has_unknown_method() => End::UnknownMethod,
        ChainAction::Http(manager) => {
            let tls = chain.tls.is_some();
            End::Http(Box::new(http(tables, manager, tls, (arrival, request), env, trace)))
        }
    };
    Passage { listener: Some(listener), chain: Some(chain), end }
}

/// The listener that takes the connection, through the one that captures traffic where there is one.
fn listener<'t>(tables: &'t Tables, arrival: &Arrival) -> Option<&'t Arc<ListenerTable>> {
    let capture = if arrival.inbound { "virtualInbound" } else { "virtualOutbound" };
    match tables.listener(capture) {
        Some(listener) => Some(listener.redirected(tables, arrival.destination)),
        None => tables.listener_for_destination(arrival.destination),
    }
}

fn chain<'t>(
    listener: &'t ListenerTable,
    arrival: &Arrival,
    request: &Request,
) -> Option<&'t Arc<FilterChain>> {
    let port = arrival.destination.port();
    let inspection = &listener.inspection;
    let sees_http = inspection.http.as_ref().is_some_and(|scope| scope.applies_to(port));
    let looks_for_tls = inspection.tls.as_ref().is_some_and(|scope| scope.applies_to(port));
    let sees_tls = request.is_tls() && looks_for_tls;
    listener.chain(&ConnectionInfo {
        destination: arrival.destination,
        source: arrival.client,
        direct_source: arrival.client,
        server_name: request.server_name.as_deref().filter(|_| sees_tls),
        tls: sees_tls,
        application_protocols: &request.application_protocols(sees_http),
    })
}

fn http<'t>(
    tables: &Tables,
    manager: &'t Arc<HttpManager>,
    tls: bool,
    (arrival, request): (&Arrival, &Request),
    env: &mut Env<'_>,
    trace: &mut impl Trace,
) -> HttpEnd<'t> {
    let session = request.session.as_ref().filter(|_| tls);
    let downstream = Downstream {
        tls,
        server_name: request.server_name.as_deref(),
        session: session.map(Arc::as_ref),
        ..Downstream::plain(arrival.client, arrival.destination)
    };
    let mut headers = request.headers.clone();
    let mut arrived = Arrived {
        method: &request.method,
        scheme: request.scheme.as_deref(),
        authority: request.authority.as_deref(),
        path: &request.path,
        version: request.version(),
        headers: &mut headers,
        downstream: &downstream,
    };
    let prepared = match forwarded::prepare(manager, &mut arrived, env) {
        Ok(prepared) => prepared,
        Err(reply) => return HttpEnd { manager, head: None, decision: Decision::Reply(reply) },
    };
    let head = RoutedHead {
        method: request.method.clone(),
        scheme: prepared.scheme.into_owned(),
        authority: prepared.authority.into_owned(),
        path: prepared.path.into_owned(),
        version: request.version(),
        client: prepared.client,
        headers,
        peer: arrival.client,
        local: arrival.destination,
        tls,
        server_name: request.server_name.clone(),
        session: session.cloned(),
    };
    let decision = head.with(|head| decide(tables, manager, head, env, trace));
    HttpEnd { manager, head: Some(head), decision }
}
