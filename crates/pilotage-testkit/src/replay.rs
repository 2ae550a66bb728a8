//! Gives recorded requests to the engine, without sockets, and says what becomes of them in the words of the recording.

mod connection;
mod exchange;
pub mod history;
mod pool;
mod secured;
mod tries;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pilotage_engine::tls::{Certificate, TlsSession};
use pilotage_engine::{Env, Tables};
use pilotage_explain::simulation::MADE_UP_ENDPOINT;
pub use pilotage_explain::simulation::tables;
use pilotage_explain::{Arrival, ClientTls, Protocol, Request};
use serde_json::Value;

use crate::outcome::{comparable, fits};
use crate::vectors::{Asker, Exchange};

/// Where clients of gateways come from in the recording.
const GATEWAY_CLIENT: [u8; 4] = [198, 51, 100, 7];
/// When requests come: time since some moment.
const NOW: Duration = Duration::from_secs(3600);
/// Draws when the recording shows one outcome.
const FEW_DRAWS: u64 = 12;
/// Draws when it shows several: enough for a branch of 1 % to be missing only once in 10⁸.
const MANY_DRAWS: u64 = 2000;

/// Where a host is that a request names: every name has the same address here.
fn named(authority: &str, usual_port: u16) -> SocketAddr {
    let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    SocketAddr::new(IpAddr::V4(MADE_UP_ENDPOINT), port.unwrap_or(usual_port))
}

/// The distinct outcomes of `exchange` at the proxy that `tables` belongs to: over a few draws of chance where one was
/// recorded, else until all that were recorded came up, or so many draws that each should have.
#[must_use]
pub fn outcomes(tables: &Tables, asker: &Asker, exchange: &Exchange) -> Vec<Value> {
    let recorded = [exchange.outcomes(), exchange.outcomes_without_rejected()];
    let wanted = recorded.map(|outcomes| outcomes.iter().map(comparable).collect::<Vec<_>>());
    let most =
        if wanted.iter().any(|outcomes| outcomes.len() > 1) { MANY_DRAWS } else { FEW_DRAWS };
    let mut distinct: Vec<Value> = Vec::new();
    for seed in 0..most {
        let came_up = |w: &Value| distinct.iter().any(|o| fits(w, o));
        let complete = |w: &Vec<Value>| !w.is_empty() && w.iter().all(came_up);
        if seed >= FEW_DRAWS && wanted.iter().any(complete) {
            break;
        }
        let outcome = comparable(&draw(tables, asker, exchange, seed));
        if !distinct.contains(&outcome) {
            distinct.push(outcome);
        }
    }
    distinct
}

/// The distinct outcomes of `draws` draws, in full, with the number of draws that led to each. The same draws give the
/// same outcomes.
#[must_use]
pub fn drawn(tables: &Tables, asker: &Asker, exchange: &Exchange, draws: u64) -> Vec<(Value, u64)> {
    let mut distinct: Vec<(Value, u64)> = Vec::new();
    for seed in 0..draws {
        let outcome = draw(tables, asker, exchange, seed);
        match distinct.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, times)) => *times += 1,
            None => distinct.push((outcome, 1)),
        }
    }
    distinct
}

fn draw(tables: &Tables, asker: &Asker, exchange: &Exchange, seed: u64) -> Value {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut chance = || rng.u64(..);
    let mut env = Env { now: NOW, unix_time: Duration::from_secs(1_767_225_600), rng: &mut chance };
    connection::outcome(tables, &arrival(asker, exchange), exchange, &mut env)
}

/// How the connection of an exchange arrives.
///
/// # Panics
/// When an address is none.
#[must_use]
pub fn arrival(asker: &Asker, exchange: &Exchange) -> Arrival {
    let destination: SocketAddr = exchange.destination.parse().expect("an address and a port");
    let proxied = exchange.recorded.get("proxy_protocol").and_then(Value::as_str);
    let client = match (proxied, asker.kind.as_str()) {
        (Some(told), _) => told.parse().expect("an address"),
        (None, "gateway") => IpAddr::from(GATEWAY_CLIENT),
        (None, _) => asker.ip.parse().expect("an address"),
    };
    Arrival {
        client: SocketAddr::new(client, 40_000),
        destination,
        inbound: asker.kind != "gateway" && destination.ip() == client,
    }
}

/// What the client of an exchange sends.
///
/// # Panics
/// When the method is none.
#[must_use]
pub fn request(exchange: &Exchange) -> Request {
    let told = &exchange.request;
    Request {
        method: told.method.as_deref().unwrap_or("GET").parse().expect("a method"),
        authority: told.host.clone(),
        path: told.path.clone().unwrap_or_else(|| "/".to_owned()),
        headers: exchange::client_headers(exchange),
        protocol: match told.protocol.as_deref() {
            Some("grpc" | "http2") => Protocol::Http2,
            Some("tcp") => Protocol::Tcp,
            _ => Protocol::Http1,
        },
        tls: match told.tls.as_deref() {
            Some("tls") => ClientTls::Tls,
            Some("mtls") => ClientTls::Mtls,
            _ => ClientTls::Plaintext,
        },
        server_name: told.sni.clone(),
        alpn: told.alpn.clone(),
        ..Request::default()
    }
}

/// The handshake of a client with a certificate. Clients of the recording have all the names that the proxy wants to see of
/// anybody, because upstreams show the same certificate.
fn session(tables: &Tables) -> TlsSession {
    let mut wanted = BTreeSet::new();
    for cluster in tables.accepted().clusters.values() {
        identities(&pilotage_proto::json::to_value(&**cluster).unwrap_or_default(), &mut wanted);
    }
    let own = "spiffe://cluster.local/ns/default/sa/client".to_owned();
    let uris = std::iter::once(own).chain(wanted).collect();
    let peer = Certificate {
        sha256: "c0ffee".to_owned(),
        pem: "pem".to_owned(),
        subject: "CN=client".to_owned(),
        uris,
        dns_names: vec!["client.example.com".to_owned()],
        ..Certificate::default()
    };
    TlsSession { peer: Some(Box::new(peer)), ..TlsSession::default() }
}

/// The identities that stand in a resource as the only ones to be believed.
fn identities(resource: &Value, found: &mut BTreeSet<String>) {
    match resource {
        Value::Object(fields) => {
            let exact = fields.get("exact").and_then(Value::as_str);
            found.extend(exact.filter(|name| name.starts_with("spiffe://")).map(str::to_owned));
            fields.values().for_each(|value| identities(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| identities(item, found)),
        _ => {}
    }
}
