//! Random pairs of TCP and TLS rules and random connections: what is said of the pair never contradicts what the engine
//! does with a connection.
//!
//! `PILOTAGE_RANDOM_SEED` sets the seed, `PILOTAGE_RANDOM_PAIRS` how many pairs are drawn.

#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test reports on the terminal and may stop where it goes wrong"
)]

use std::net::SocketAddr;
use std::sync::Arc;

use fastrand::Rng;
use pilotage_config::mesh::MeshConfig;
use pilotage_engine::Tables;
use pilotage_explain::simulation;
use pilotage_symbolic::{Connection, Difference, difference, judge_connection};
use pilotage_testkit::ours::Ours;
use pilotage_testkit::vectors::Asker;
use serde_json::{Value, json};

const PAIRS: usize = 150;
const CONNECTIONS_PER_PAIR: usize = 40;

const WORLD: &str = r#"
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: db, namespace: default}
spec:
  hosts: [db.test]
  addresses: [10.9.0.0/24]
  resolution: STATIC
  ports: [{number: 5000, name: tcp, protocol: TCP}, {number: 5001, name: tcp-more, protocol: TCP}]
  endpoints: [{address: 10.0.0.1}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: secure, namespace: default}
spec:
  hosts: [a.secure.test, b.secure.test, "*.wild.test"]
  resolution: NONE
  ports: [{number: 443, name: tls, protocol: TLS}, {number: 8443, name: tls-more, protocol: TLS}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: targets, namespace: default}
spec:
  hosts: [one.test, two.test]
  addresses: [10.8.0.1]
  resolution: STATIC
  ports: [{number: 9000, name: tcp, protocol: TCP}]
  endpoints: [{address: 10.0.0.2}]
"#;

/// The address of the listener that captured connections arrive at.
const CAPTURE: ([u8; 4], u16) = ([0, 0, 0, 0], 15001);

/// The tables of a sidecar under the rules for `db.test` and those for TLS; `None`: they are invalid.
fn tables(tcp: &Value, tls: &Value) -> Option<Arc<Tables>> {
    let object = |name: &str, spec: Value| {
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": name, "namespace": "default"}, "spec": spec,
        })
    };
    let hosts = ["a.secure.test", "b.secure.test", "*.wild.test"];
    let rules = [
        object("tcp", json!({"hosts": ["db.test"], "tcp": tcp})),
        object("tls", json!({"hosts": hosts, "tls": tls})),
    ];
    let text = rules.map(|rule| rule.to_string()).join("\n---\n");
    let files = [("world.yaml".to_owned(), WORLD), ("rules.yaml".to_owned(), &*text)];
    let ours = Ours::of(&files, MeshConfig::default());
    let asker = Asker {
        name: "client".into(),
        kind: "sidecar".into(),
        namespace: "default".into(),
        ip: "10.1.9.9".into(),
        ..Asker::default()
    };
    (ours.refusals().count() == 0).then(|| simulation::tables(&ours.resources(&asker)).0)
}

fn to(host: &str) -> Value {
    json!([{"destination": {"host": host, "port": {"number": 9000}}}])
}

fn compared(old: [Value; 2], new: [Value; 2]) -> Difference {
    let [old, new] = [old, new].map(|[tcp, tls]| tables(&tcp, &tls).unwrap());
    let found = difference(&old, &new);
    assert!(found.undecided_connections.is_empty(), "{:?}", found.undecided_connections);
    found
}

#[test]
fn rules_that_are_split_or_put_elsewhere_are_no_change() {
    let tls = |hosts: Value, target: &str| json!({"match": [{"port": 443, "sniHosts": hosts}], "route": to(target)});
    let rest = || json!([{"route": to("one.test")}]);
    let old = [rest(), json!([tls(json!(["a.secure.test", "b.secure.test"]), "one.test")])];
    let new = [
        json!([
            {"match": [{"port": 5000}, {"port": 5001}], "route": [
                {"destination": {"host": "one.test", "port": {"number": 9000}}, "weight": 7}]},
            {"route": to("two.test")},
        ]),
        json!([
            tls(json!(["b.secure.test"]), "one.test"),
            tls(json!(["a.secure.test"]), "one.test")
        ]),
    ];
    let found = compared(old, new);
    assert!(found.connections.is_empty(), "{:?}", found.connections);
    assert!(found.requests.is_empty(), "{:?}", found.requests);
}

#[test]
fn what_changes_is_told_with_a_connection_that_does() {
    let tcp = |subnet: &str| {
        json!([
            {"match": [{"destinationSubnets": [subnet]}], "route": to("one.test")},
            {"route": to("two.test")},
        ])
    };
    let tls = |target: &str| {
        json!([
            {"match": [{"port": 443, "sniHosts": ["x.wild.test"]}], "route": to(target)},
            {"match": [{"port": 443, "sniHosts": ["*.wild.test"]}], "route": to("one.test")},
        ])
    };
    let old = [tcp("10.9.0.8/30"), tls("one.test")];
    let found = compared(old.clone(), [tcp("10.9.0.8/29"), tls("one.test")]);
    let [change] = found.connections.as_slice() else { panic!("{:?}", found.connections) };
    assert!(change.condition.contains("10.9.0.8/29"), "{}", change.condition);
    let to_whom = change.witness.destination.to_string();
    assert!(to_whom.starts_with("10.9.0.12:500"), "{to_whom}");
    let [told] = change.changes.as_slice() else { panic!("{change:?}") };
    assert_eq!((&*told.was, &*told.becomes), ("TCP to two.test 100 %", "TCP to one.test 100 %"));

    let found = compared(old.clone(), [tcp("10.9.0.8/30"), tls("two.test")]);
    let [change] = found.connections.as_slice() else { panic!("{:?}", found.connections) };
    assert_eq!(change.condition, "connections to port 443, with TLS for x.wild.test");
    assert_eq!(change.witness.server_name.as_deref(), Some("x.wild.test"));
}

#[test]
fn connections_never_contradict_what_is_said_of_their_kind() {
    let seed = setting("PILOTAGE_RANDOM_SEED").unwrap_or(1);
    let pairs = setting("PILOTAGE_RANDOM_PAIRS").map_or(PAIRS, |n| usize::try_from(n).unwrap());
    println!("seed {seed}, {pairs} pairs");
    let mut random = Rng::with_seed(seed);
    let (mut asked, mut changed, mut same) = (0, 0, 0);
    for _ in 0..pairs {
        let old = drawn(&mut random);
        let new = successor(&mut random, &old);
        let context = || format!("seed {seed}\nold {old:?}\nnew {new:?}");
        let [before, after] = [&old, &new].map(|[tcp, tls]| tables(tcp, tls).unwrap());
        let found = difference(&before, &after);
        assert!(found.undecided_connections.is_empty(), "{}", context());
        same += usize::from(found.connections.is_empty());
        let listener = SocketAddr::from(CAPTURE);
        let judge = |connection: &Connection| {
            judge_connection(&before, &after, listener, connection).unwrap()
        };
        for change in &found.connections {
            assert_eq!(judge(&change.witness), change.changes, "{change:?} {}", context());
        }
        for _ in 0..CONNECTIONS_PER_PAIR {
            let connection = connection(&mut random);
            let judged = judge(&connection);
            asked += 1;
            changed += usize::from(!judged.is_empty());
            let is_told = found.connections.iter().any(|change| change.changes == judged);
            assert!(judged.is_empty() || is_told, "{connection}: {judged:?} {}", context());
        }
    }
    println!("{asked} connections, {changed} of them change; {same} pairs are the same");
    assert!(
        changed > asked / 50 && same > 0,
        "the pairs are no test: {changed} of {asked}, {same}"
    );
}

/// Rules that can be loaded.
fn drawn(random: &mut Rng) -> [Value; 2] {
    loop {
        let tcp: Vec<Value> = (0..random.usize(1..4)).map(|_| tcp_rule(random)).collect();
        let tls: Vec<Value> = (0..random.usize(1..5)).map(|_| tls_rule(random)).collect();
        let rules = [json!(tcp), json!(tls)];
        if tables(&rules[0], &rules[1]).is_some() {
            return rules;
        }
    }
}

/// Rules that are a little different from `old`.
fn successor(random: &mut Rng, old: &[Value; 2]) -> [Value; 2] {
    for _ in 0..20 {
        let mut new = old.clone();
        let which = random.usize(..2);
        let fresh = if which == 0 { tcp_rule(random) } else { tls_rule(random) };
        let rules = new[which].as_array_mut().unwrap();
        let at = random.usize(..rules.len());
        match random.u32(..5) {
            0 => rules.insert(at, fresh),
            1 => drop(rules.remove(at)),
            2 => {
                let with = random.usize(..rules.len());
                rules.swap(at, with);
            }
            3 => rules.insert(at, rules[at].clone()),
            _ => rules[at]["route"] = fresh["route"].clone(),
        }
        if tables(&new[0], &new[1]).is_some() {
            return new;
        }
    }
    old.clone()
}

fn tcp_rule(random: &mut Rng) -> Value {
    let mut rule = json!({"route": to(pick(random, &["one.test", "two.test"]))});
    let mut matches = Vec::new();
    for _ in 0..random.usize(..3) {
        let mut one = json!({});
        if random.bool() {
            one["port"] = json!(pick(random, &[5000, 5001]));
        }
        if random.bool() {
            let subnets = ["10.9.0.0/28", "10.9.0.8/29", "10.9.0.9", "10.9.0.64/26"];
            one["destinationSubnets"] = json!([pick(random, &subnets)]);
        }
        matches.push(one);
    }
    if !matches.is_empty() {
        rule["match"] = json!(matches);
    }
    rule
}

fn tls_rule(random: &mut Rng) -> Value {
    let names =
        ["a.secure.test", "b.secure.test", "*.wild.test", "x.wild.test", "*.deep.wild.test"];
    let hosts: Vec<&str> = (0..random.usize(1..3)).map(|_| pick(random, &names)).collect();
    let port = pick(random, &[443, 8443]);
    json!({"match": [{"port": port, "sniHosts": hosts}],
        "route": to(pick(random, &["one.test", "two.test"]))})
}

fn connection(random: &mut Rng) -> Connection {
    let addresses =
        ["10.9.0.1", "10.9.0.9", "10.9.0.10", "10.9.0.70", "10.9.0.200", "10.8.0.1", "192.0.2.7"];
    let port = pick(random, &[5000, 5001, 443, 8443, 9000, 77]);
    let address = pick(random, &addresses).parse().unwrap();
    let tls = random.bool();
    let names = [
        "a.secure.test",
        "b.secure.test",
        "x.wild.test",
        "y.wild.test",
        "z.deep.wild.test",
        "else.test",
    ];
    let server_name = (tls && random.u32(..6) > 0).then(|| pick(random, &names).to_owned());
    let protocols: Vec<String> = match random.u32(..3) {
        0 => vec![pick(random, &["h2", "http/1.1", "istio"]).to_owned()],
        _ => Vec::new(),
    };
    let destination = SocketAddr::new(address, port);
    Connection { destination, source: None, tls, server_name, protocols }
}

fn pick<T: Copy>(random: &mut Rng, all: &[T]) -> T {
    all[random.usize(..all.len())]
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}
