//! Filter chains that look at where connections come from: what is said of a random pair of listeners never contradicts
//! what the engine does with a random connection.
//!
//! `PILOTAGE_RANDOM_SEED` sets the seed.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may stop where it goes wrong"
)]

use std::net::SocketAddr;
use std::sync::Arc;

use fastrand::Rng;
use pilotage_engine::{LiveState, Tables};
use pilotage_proto::{ResourceSet, json};
use pilotage_symbolic::{Connection, difference, judge_connection};
use serde_json::{Value, json};

const PAIRS: usize = 200;
const CONNECTIONS_PER_PAIR: usize = 40;
const LISTENER: ([u8; 4], u16) = ([0, 0, 0, 0], 7000);

/// A listener with these conditions, each leading to the cluster behind it; everything else goes to `rest`.
fn tables(chains: &[(Value, &str)], filters: &Value) -> Arc<Tables> {
    let chain = |matches: &Value, name: String, cluster: &str| {
        json!({"name": name, "filterChainMatch": matches, "filters": [{
            "name": "tcp", "typedConfig": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                "statPrefix": "x", "cluster": cluster
            }
        }]})
    };
    let all = chains.iter().enumerate();
    let all: Vec<Value> = all.map(|(n, (m, to))| chain(m, format!("chain {n}"), to)).collect();
    let mut set = ResourceSet::default();
    let listener = json!({
        "name": "entry", "filterChains": all, "listenerFilters": filters,
        "address": {"socketAddress": {"address": "0.0.0.0", "portValue": 7000}},
        "defaultFilterChain": chain(&json!({}), "default".into(), "rest"),
    });
    set.listeners.insert("entry".into(), Arc::new(json::from_value(&listener).unwrap()));
    for name in ["a", "b", "rest"] {
        let cluster = json!({"name": name, "type": "STATIC", "connectTimeout": "1s"});
        set.clusters.insert(name.into(), Arc::new(json::from_value(&cluster).unwrap()));
    }
    let (tables, rejections) = Tables::apply(&Tables::empty(), &set, &LiveState::new());
    assert!(rejections.is_empty(), "{rejections:?} {chains:?}");
    tables
}

fn pick<T: Clone>(random: &mut Rng, all: &[T]) -> T {
    all[random.usize(..all.len())].clone()
}

/// A condition on the source, as a JSON object.
fn condition(random: &mut Rng) -> Value {
    let range = |random: &mut Rng| {
        let (address, bits) = pick(
            random,
            &[
                ("10.0.0.0", 8),
                ("10.1.0.0", 16),
                ("10.1.0.1", 32),
                ("127.0.0.0", 16),
                ("10.2.0.7", 32),
            ],
        );
        json!([{"addressPrefix": address, "prefixLen": bits}])
    };
    let mut one = json!({});
    for field in ["sourcePrefixRanges", "directSourcePrefixRanges", "prefixRanges"] {
        if random.u32(..4) == 0 {
            one[field] = range(random);
        }
    }
    if random.u32(..3) == 0 {
        one["sourcePorts"] = pick(random, &[json!([5]), json!([5, 6]), json!([40_000])]);
    }
    if random.u32(..3) == 0 {
        one["sourceType"] = pick(random, &["SAME_IP_OR_LOOPBACK", "EXTERNAL"]).into();
    }
    one
}

fn chains(random: &mut Rng) -> Vec<(Value, &'static str)> {
    let mut all: Vec<(Value, &str)> = Vec::new();
    for _ in 0..random.usize(1..4) {
        let one = condition(random);
        // Envoy refuses two chains with the same condition.
        if one != json!({}) && !all.iter().any(|(known, _)| *known == one) {
            all.push((one, pick(random, &["a", "b"])));
        }
    }
    all
}

fn connection(random: &mut Rng) -> Connection {
    let addresses =
        ["10.0.0.1", "10.1.0.1", "10.1.0.2", "127.0.0.1", "127.9.0.1", "10.2.0.7", "192.0.2.1"];
    let address = |random: &mut Rng| pick(random, &addresses).parse().unwrap();
    let destination = SocketAddr::new(address(random), LISTENER.1);
    let port = pick(random, &[5, 6, 7, 40_000]);
    let source = Some(SocketAddr::new(address(random), port));
    Connection { destination, source, tls: false, server_name: None, protocols: Vec::new() }
}

#[test]
fn sources_never_contradict_what_is_said_of_their_kind() {
    let seed = std::env::var("PILOTAGE_RANDOM_SEED").ok();
    let seed = seed.map_or(1, |seed| seed.parse().unwrap());
    let mut random = Rng::with_seed(seed);
    let (mut changed, mut told) = (0, 0);
    for _ in 0..PAIRS {
        let (old, new) = (chains(&mut random), chains(&mut random));
        let [before, after] = [&old, &new].map(|chains| tables(chains, &json!([])));
        let context = format!("seed {seed}\nold {old:?}\nnew {new:?}");
        let found = difference(&before, &after);
        assert!(found.undecided_connections.is_empty(), "{context}");
        let judge = |connection: &Connection| {
            judge_connection(&before, &after, SocketAddr::from(LISTENER), connection).unwrap()
        };
        for change in &found.connections {
            told += 1;
            assert_eq!(judge(&change.witness), change.changes, "{change:?} {context}");
        }
        for _ in 0..CONNECTIONS_PER_PAIR {
            let connection = connection(&mut random);
            let judged = judge(&connection);
            changed += usize::from(!judged.is_empty());
            let is_told = found.connections.iter().any(|change| change.changes == judged);
            assert!(judged.is_empty() || is_told, "{connection}: {judged:?} {context}");
        }
    }
    assert!(changed > PAIRS && told > PAIRS, "the pairs are no test: {changed}, {told}");
}

#[test]
fn sources_are_told_in_words() {
    let to = |bits: u32| {
        let range = json!([{"addressPrefix": "10.1.0.0", "prefixLen": bits}]);
        tables(&[(json!({"sourcePrefixRanges": range}), "a")], &json!([]))
    };
    let found = difference(&to(16), &to(24));
    let said: Vec<&str> = found.connections.iter().map(|change| &*change.condition).collect();
    assert_eq!(said, ["connections to port 7000, from 10.1.0.0/16"]);
    let witness = &found.connections[0].witness;
    assert_eq!(witness.to_string(), "TCP to 198.51.100.1:7000 from 10.1.1.0:40000");

    let local = |kind: &str, port: u16| {
        tables(&[(json!({"sourceType": kind, "sourcePorts": [port]}), "a")], &json!([]))
    };
    let found = difference(&local("SAME_IP_OR_LOOPBACK", 5), &local("SAME_IP_OR_LOOPBACK", 6));
    let said: Vec<&str> = found.connections.iter().map(|change| &*change.condition).collect();
    let from =
        |port| format!("from 127.0.0.0/8 port {port} or the address that they go to port {port}");
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains(&from(5)) && said[1].contains(&from(6)), "{said:?}");
}

#[test]
fn two_sources_of_one_connection_are_not_decided() {
    let proxied = json!([{"name": "proxy", "typedConfig": {
        "@type": "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol"
    }}]);
    let to = |bits: u32| {
        let range = json!([{"addressPrefix": "10.1.0.0", "prefixLen": bits}]);
        tables(&[(json!({"directSourcePrefixRanges": range}), "a")], &proxied)
    };
    let found = difference(&to(16), &to(24));
    assert_eq!(found.undecided_connections, ["connections to port 7000"]);
    assert!(found.connections.is_empty());
}
