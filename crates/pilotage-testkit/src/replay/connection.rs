//! From a client's connection to the filter chain that takes it.

use std::net::SocketAddr;
use std::sync::Arc;

use pilotage_engine::filter_chain::{ChainAction, ConnectionInfo, FilterChain};
use pilotage_engine::listener::ListenerTable;
use pilotage_engine::load_balancing::PickContext;
use pilotage_engine::tcp_route::TcpRoute;
use pilotage_engine::{Env, Tables};
use serde_json::{Value, json};

use super::exchange;
use crate::vectors::{Exchange, Request};

/// A connection as it arrives.
pub(super) struct Connection<'a> {
    /// The client's address.
    pub(super) client: SocketAddr,
    /// Where it wanted to go.
    pub(super) destination: SocketAddr,
    /// Whether it goes to the workload beside the proxy.
    pub(super) inbound: bool,
    /// What will be sent.
    pub(super) request: &'a Request,
}

impl Connection<'_> {
    fn is_tls(&self) -> bool {
        matches!(self.request.tls.as_deref(), Some("tls" | "mtls"))
    }

    fn is_http(&self) -> bool {
        self.request.protocol.as_deref() != Some("tcp")
    }

    /// Where the kernel says that the client wanted to go; only captured connections have that.
    pub(super) fn original_destination(&self) -> Option<SocketAddr> {
        Some(self.destination).filter(|address| !address.ip().is_loopback())
    }

    pub(super) fn is_http2(&self) -> bool {
        matches!(self.request.protocol.as_deref(), Some("grpc" | "http2"))
    }

    /// What the client offers in ALPN, or what an HTTP inspector sees of a plain connection.
    fn application_protocols(&self, inspects_http: bool) -> &'static [&'static str] {
        match (self.is_tls(), self.is_http(), self.is_http2()) {
            (_, false, _) => &[],
            (true, _, true) => &["h2"],
            (true, _, false) => &["http/1.1"],
            (false, ..) if !inspects_http => &[],
            (false, _, true) => &["h2c"],
            (false, _, false) => &["http/1.1"],
        }
    }
}

/// What becomes of the request that `connection` carries.
pub(super) fn outcome(
    tables: &Tables,
    connection: &Connection<'_>,
    exchange: &Exchange,
    env: &mut Env<'_>,
) -> Value {
    let Some(listener) = listener(tables, connection) else {
        return json!({"error": "connection refused", "flags": ""});
    };
    let port = connection.destination.port();
    let inspects = listener.inspection.http.as_ref().is_some_and(|scope| scope.applies_to(port));
    let tls = listener.inspection.tls.as_ref().is_some_and(|scope| scope.applies_to(port));
    let sees_tls = connection.is_tls() && tls;
    let info = ConnectionInfo {
        destination: connection.destination,
        source: connection.client,
        direct_source: connection.client,
        server_name: connection.request.sni.as_deref().filter(|_| sees_tls),
        tls: sees_tls,
        application_protocols: connection.application_protocols(inspects),
    };
    let Some(chain) = listener.chain(&info) else {
        return json!({"error": "closed", "handled": "listener", "flags": "NR", "details": "filter_chain_not_found"});
    };
    match &chain.action {
        ChainAction::Close => json!({"error": "closed", "handled": "listener", "flags": ""}),
        ChainAction::Tcp(route) if lacks_certificate(chain, connection) => {
            let details = "PEER_DID_NOT_RETURN_A_CERTIFICATE";
            json!({"error": "tls handshake failed", "handled": "tcp", "flags": "", "details": details,
                "cluster": &**route.cluster(env)})
        }
        ChainAction::Tcp(route) => tcp(tables, route, connection, env),
        ChainAction::Http(_) if !speaks_http(chain, connection) => {
            let error = if connection.is_tls() { "tls handshake failed" } else { "closed" };
            json!({"status": 400, "error": error, "handled": "http", "flags": "DPE", "details": "http1.codec_error"})
        }
        ChainAction::Http(manager) => {
            exchange::outcome(tables, manager, chain.tls.is_some(), connection, exchange, env)
        }
    }
}

/// The listener that takes the connection, through the one that captures traffic where there is one.
fn listener<'t>(tables: &'t Tables, connection: &Connection<'_>) -> Option<&'t Arc<ListenerTable>> {
    let capture = if connection.inbound { "virtualInbound" } else { "virtualOutbound" };
    match tables.listener(capture) {
        Some(listener) => Some(listener.redirected(tables, connection.destination)),
        None => tables.listener_for_destination(connection.destination),
    }
}

fn lacks_certificate(chain: &FilterChain, connection: &Connection<'_>) -> bool {
    let required = chain.tls.as_ref().is_some_and(|tls| tls.requires_certificate);
    required && connection.request.tls.as_deref() == Some("tls")
}

/// Whether the connection manager of `chain` will see HTTP: not when nobody ends the client's TLS, nor when the client
/// sends other bytes.
fn speaks_http(chain: &FilterChain, connection: &Connection<'_>) -> bool {
    connection.is_http() && connection.is_tls() == chain.tls.is_some()
}

fn tcp(tables: &Tables, route: &TcpRoute, connection: &Connection<'_>, env: &mut Env<'_>) -> Value {
    let name = Arc::clone(route.cluster(env));
    let Some(cluster) = tables.cluster(&name) else {
        return json!({"error": "closed", "handled": "tcp", "flags": "NC"});
    };
    let context = PickContext {
        original_destination: connection.original_destination(),
        hash: None,
        ..PickContext::default()
    };
    match cluster.pick(&context, env) {
        Ok(endpoint) => json!({"handled": "tcp", "flags": "", "cluster": &*name,
            "endpoint": endpoint.address.socket().map(|address| address.to_string())}),
        Err(_) => json!({"error": "closed", "handled": "tcp", "flags": "UH", "cluster": &*name}),
    }
}
