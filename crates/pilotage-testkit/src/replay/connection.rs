//! What becomes of a connection, in the words of the recording.

use std::sync::Arc;

use pilotage_engine::load_balancing::PickContext;
use pilotage_engine::tcp_route::{TcpRoute, Tunneling};
use pilotage_engine::{Env, NoTrace, Tables};
use pilotage_explain::{Arrival, ClientTls, End, Request, carry};
use serde_json::{Value, json};

use super::{exchange, pool, request, secured, session};
use crate::vectors::Exchange;

/// What becomes of the request of `exchange`, which arrives like that.
pub(super) fn outcome(
    tables: &Tables,
    arrival: &Arrival,
    exchange: &Exchange,
    env: &mut Env<'_>,
) -> Value {
    // Connections to loopback are not captured: somebody listens there, or nobody.
    let destination = arrival.destination;
    if destination.ip().is_loopback() && tables.listener_for_destination(destination).is_none() {
        return json!({"error": "connection refused", "flags": ""});
    }
    let mut request = request(exchange);
    if request.tls == ClientTls::Mtls {
        request.session = Some(Arc::new(session(tables)));
    }
    match carry(tables, arrival, &request, env, &mut NoTrace).end {
        End::NoListener => json!({"error": "connection refused", "flags": ""}),
        End::NoFilterChain => {
            json!({"error": "closed", "handled": "listener", "flags": "NR", "details": "filter_chain_not_found"})
        }
        End::Closed => json!({"error": "closed", "handled": "listener", "flags": ""}),
        End::NoCertificate(route) => {
            let handled = if route.is_some() { "tcp" } else { "http" };
            let details = "PEER_DID_NOT_RETURN_A_CERTIFICATE";
            let cluster = route.map(|route| route.cluster(request.server_name.as_deref(), env));
            json!({"error": "tls handshake failed", "handled": handled, "flags": "", "details": details,
                "cluster": cluster.as_deref()})
        }
        End::Tcp(route) => tcp(tables, route, (arrival, &request), env),
        // Raw bytes: there is nobody who would read an answer.
        End::NotHttp if !request.is_http() && !request.is_tls() => {
            json!({"status": 400, "handled": "http", "flags": "DPE", "details": "http1.codec_error"})
        }
        End::NotHttp | End::UnknownMethod => {
            let error = if request.is_tls() { "tls handshake failed" } else { "closed" };
            json!({"status": 400, "error": error, "handled": "http", "flags": "DPE", "details": "http1.codec_error"})
        }
        End::Http(end) => exchange::outcome(tables, &end, (arrival, &request), exchange, env),
    }
}

fn tcp(
    tables: &Tables,
    route: &TcpRoute,
    (arrival, request): (&Arrival, &Request),
    env: &mut Env<'_>,
) -> Value {
    let name = route.cluster(request.server_name.as_deref(), env);
    let Some(cluster) = tables.cluster(&name) else {
        return json!({"error": "closed", "handled": "tcp", "flags": "NC"});
    };
    let context = PickContext {
        original_destination: match route.server_name.server_port {
            Some(port) => Some(super::named("", port)),
            None => arrival.original_destination(),
        },
        hash: None,
        ..PickContext::default()
    };
    match cluster.pick(&context, env) {
        Ok(endpoint) => json!({"handled": "tcp", "flags": "", "cluster": &*name,
            "endpoint": endpoint.address.to_string(),
            "pool": pool::told_of_bytes(&cluster.settings, route),
            "tls": secured::told(&cluster.settings, &endpoint),
            "tunnel": route.tunneling.as_ref().map(tunnel)}),
        Err(_) => json!({"error": "closed", "handled": "tcp", "flags": "UH", "cluster": &*name}),
    }
}

/// What comes before the bytes.
fn tunnel(tunneling: &Tunneling) -> String {
    let method = if tunneling.use_post { "POST" } else { "CONNECT" };
    format!("{method} {}", tunneling.hostname)
}
