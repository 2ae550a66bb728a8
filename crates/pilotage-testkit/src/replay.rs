//! Gives recorded requests to the engine, without sockets, and says what becomes of them in the words of the recording.

mod connection;
mod exchange;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use pilotage_engine::cluster::Discovery;
use pilotage_engine::{Env, LiveState, Rejection, Tables};
use pilotage_proto::ResourceSet;
use serde_json::Value;

use crate::outcome::comparable;
use crate::vectors::{Asker, Exchange};

/// Where clients of gateways come from in the recording.
const GATEWAY_CLIENT: [u8; 4] = [198, 51, 100, 7];
/// Draws when the recording shows one outcome.
const FEW_DRAWS: u64 = 12;
/// Draws when it shows several: enough for a branch of 1 % to be missing only once in 10⁸.
const MANY_DRAWS: u64 = 2000;

/// The tables that the engine makes of `set`, with what it refused. Names that DNS clusters want resolved get made-up
/// addresses.
#[must_use]
pub fn tables(set: &ResourceSet) -> (Arc<Tables>, Vec<Rejection>) {
    let live = LiveState::new();
    let (tables, rejections) = Tables::apply(&Tables::empty(), set, &live);
    for name in set.clusters.keys() {
        let Some(cluster) = tables.cluster(name) else { continue };
        let by_name = [Discovery::StrictDns, Discovery::LogicalDns];
        if by_name.contains(&cluster.settings.discovery) {
            for target in cluster.dns_targets() {
                cluster.resolved(target, &[IpAddr::from([198, 18, 0, 1])]);
            }
        }
    }
    (tables, rejections)
}

/// The distinct outcomes of `exchange` at the proxy that `tables` belongs to, over enough draws of chance that every
/// branch with a share shows up.
#[must_use]
pub fn outcomes(tables: &Tables, asker: &Asker, exchange: &Exchange) -> Vec<Value> {
    let draws = if exchange.outcomes().len() > 1 { MANY_DRAWS } else { FEW_DRAWS };
    let mut distinct: Vec<Value> = Vec::new();
    for seed in 0..draws {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut chance = || rng.u64(..);
        let mut env = Env {
            now: Duration::from_secs(3600),
            unix_time: Duration::from_secs(1_767_225_600),
            rng: &mut chance,
        };
        let outcome = comparable(&once(tables, asker, exchange, &mut env));
        if !distinct.contains(&outcome) {
            distinct.push(outcome);
        }
    }
    distinct
}

fn once(tables: &Tables, asker: &Asker, exchange: &Exchange, env: &mut Env<'_>) -> Value {
    let destination: SocketAddr = exchange.destination.parse().expect("an address and a port");
    let client = match asker.kind.as_str() {
        "gateway" => IpAddr::from(GATEWAY_CLIENT),
        _ => asker.ip.parse().expect("an address"),
    };
    let connection = connection::Connection {
        client: SocketAddr::new(client, 40_000),
        destination,
        inbound: asker.kind != "gateway" && destination.ip() == client,
        request: &exchange.request,
    };
    connection::outcome(tables, &connection, exchange, env)
}
