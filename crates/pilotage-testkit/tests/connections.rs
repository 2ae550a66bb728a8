//! The same listeners and the same bytes to a real Envoy and to our proxy: each connection must meet the same fate, be
//! it the upstream that it reaches with all its bytes, or its end.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may stop where it goes wrong"
)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use pilotage_engine::{LiveState, Severity, Tables};
use pilotage_proxy::{Proxy, ProxyConfig, ProxyHandle};
use pilotage_testkit::envoy::{Envoy, bootstrap};
use pilotage_testkit::{peers, resources};
use serde_json::{Value, json};

/// A bound for hung tests only; nothing waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(20);
const TLS: &str = "tls_inspector.v3.TlsInspector";
const HTTP: &str = "http_inspector.v3.HttpInspector";
const PROXY: &str = "proxy_protocol.v3.ProxyProtocol";
/// Clusters with an upstream that says its name.
const NAMES: [&str; 8] = ["a", "b", "one", "zero", "two", "tls", "raw", "far"];

#[test]
fn connections_meet_the_same_fate() {
    let Some(program) = peers::require("envoy") else { return };
    let (listeners, clusters) = (listeners(), clusters());
    let envoy = Envoy::start(&program, &bootstrap(&listeners, &clusters)).unwrap();
    let theirs = envoy.listeners().unwrap();
    let (_handle, ours) = start_ours(&listeners, &clusters);
    let mut differing = Vec::new();
    let probes = probes();
    for (listener, bytes) in &probes {
        let (a, b) = (fate(theirs[*listener], bytes), fate(ours[*listener], bytes));
        if a != b {
            let text = String::from_utf8_lossy(bytes);
            differing.push(format!("{listener} {text:?}: Envoy {a:?}, we {b:?}"));
        }
    }
    assert!(
        differing.is_empty(),
        "{} of {}:\n{}",
        differing.len(),
        probes.len(),
        differing.join("\n")
    );
}

fn chain(conditions: Value, cluster: &str) -> Value {
    json!({"filterChainMatch": conditions, "filters": [{
        "name": "envoy.filters.network.tcp_proxy",
        "typedConfig": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "statPrefix": cluster,
            "cluster": cluster,
            "maxConnectAttempts": 2,
        },
    }]})
}

/// A chain to the cluster of the server name; to `cluster` where there is none.
fn to_the_cluster_asked_for(cluster: &str) -> Value {
    let mut chain = chain(json!({}), cluster);
    let by_name = json!({"name": "envoy.filters.network.sni_cluster", "typedConfig": {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.sni_cluster.v3.SniCluster",
    }});
    chain["filters"].as_array_mut().unwrap().insert(0, by_name);
    chain
}

fn listeners() -> Value {
    let any = || json!({});
    let protocol = |name: &str| json!({"applicationProtocols": [name]});
    let names = |name: &str| json!({"serverNames": [name]});
    let from = |ip: &str| json!({"sourcePrefixRanges": [{"addressPrefix": ip, "prefixLen": 24}]});
    let kinds = || {
        vec![
            chain(protocol("http/1.1"), "one"),
            chain(protocol("http/1.0"), "zero"),
            chain(protocol("h2c"), "two"),
            chain(json!({"transportProtocol": "tls"}), "tls"),
            chain(any(), "raw"),
        ]
    };
    let listeners = [
        ("plain", vec![], vec![chain(any(), "a")]),
        ("empty", vec![], vec![chain(any(), "empty")]),
        ("missing", vec![], vec![chain(any(), "missing")]),
        ("refused", vec![], vec![chain(any(), "refused")]),
        ("full", vec![], vec![chain(any(), "full")]),
        (
            "names",
            vec![TLS],
            vec![
                chain(names("a.test"), "a"),
                chain(names("*.test"), "b"),
                chain(json!({"serverNames": ["c.test"], "applicationProtocols": ["h2"]}), "two"),
            ],
        ),
        ("kinds", vec![TLS, HTTP], kinds()),
        ("http", vec![HTTP], kinds()),
        ("clusters", vec![TLS], vec![to_the_cluster_asked_for("raw")]),
        (
            "proxied",
            vec![PROXY],
            vec![chain(from("192.0.2.0"), "far"), chain(from("127.0.0.0"), "a")],
        ),
    ];
    let listener = |(name, filters, chains): (&str, Vec<&str>, Vec<Value>)| {
        let filters: Vec<Value> = filters
            .iter()
            .map(|kind| {
                json!({"name": kind, "typedConfig": {
            "@type": format!("type.googleapis.com/envoy.extensions.filters.listener.{kind}")}})
            })
            .collect();
        json!({
            "name": name,
            "address": {"socketAddress": {"address": "127.0.0.1", "portValue": 0}},
            "listenerFilters": filters,
            "listenerFiltersTimeout": "0.2s",
            "continueOnListenerFiltersTimeout": true,
            "filterChains": chains,
        })
    };
    listeners.into_iter().map(listener).collect()
}

fn clusters() -> Value {
    let cluster = |name: &str, address: Option<SocketAddr>| {
        let endpoint = |address: SocketAddr| {
            json!({"endpoint": {"address": {"socketAddress": {
            "address": address.ip().to_string(), "portValue": address.port()}}}})
        };
        let endpoints: Vec<Value> = address.into_iter().map(endpoint).collect();
        json!({
            "name": name, "type": "STATIC", "connectTimeout": "10s",
            "loadAssignment": {"clusterName": name, "endpoints": [{"lbEndpoints": endpoints}]},
        })
    };
    let mut clusters: Vec<Value> =
        NAMES.iter().map(|name| cluster(name, Some(upstream(name)))).collect();
    let mut full = cluster("full", Some(upstream("full")));
    full["circuitBreakers"] = json!({"thresholds": [{"maxConnections": 0}]});
    // Nobody listens on port 1 of this machine.
    let refused = cluster("refused", Some(SocketAddr::from(([127, 0, 0, 1], 1))));
    clusters.extend([cluster("empty", None), refused, full]);
    clusters.into()
}

/// Says its name, and then what its client says.
fn upstream(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                // A client that is gone ends the conversation.
                stream.write_all(format!("{name}|").as_bytes()).ok();
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    stream.write_all(buffer.get(..count).unwrap_or_default()).ok();
                }
            });
        }
    });
    address
}

fn start_ours(listeners: &Value, clusters: &Value) -> (ProxyHandle, BTreeMap<String, SocketAddr>) {
    // Each listener asks for a port of its own number, so that the engine keeps them apart; bound is what the system has.
    let mut listeners = listeners.clone();
    for (index, listener) in listeners.as_array_mut().unwrap().iter_mut().enumerate() {
        listener["address"]["socketAddress"]["portValue"] = json!(index + 1);
    }
    let dump = json!({"listeners": listeners, "clusters": clusters});
    let live = Arc::new(LiveState::new());
    let set = resources::from_dump(&dump).unwrap();
    let (tables, rejections) = Tables::apply(&Tables::empty(), &set, &live);
    let refused: Vec<_> = rejections.iter().filter(|r| r.severity == Severity::Rejected).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let config = ProxyConfig {
        workers: 1,
        bind: Arc::new(|wanted| SocketAddr::new(wanted.ip(), 0)),
        ..ProxyConfig::new()
    };
    let handle = Proxy::start(config, Arc::new(ArcSwap::from(tables)), live).unwrap();
    let bound = handle.listeners().into_iter().map(|l| (l.name.to_string(), l.bound)).collect();
    (handle, bound)
}

/// What `bytes` come to: all that comes back, the name of the upstream first; nothing when there is none.
fn fate(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A connection that is refused may be gone before everything is written.
    stream.write_all(bytes).ok();
    let mut seen = Vec::new();
    let mut byte = [0];
    // The client ends its side only when its connection has got somewhere: before that it would be given up.
    while !seen.ends_with(b"|") && matches!(stream.read(&mut byte), Ok(1)) {
        seen.extend(byte);
    }
    stream.shutdown(Shutdown::Write).ok();
    stream.read_to_end(&mut seen).ok();
    String::from_utf8_lossy(&seen).into_owned()
}

fn probes() -> Vec<(&'static str, Vec<u8>)> {
    let mut probes: Vec<(&'static str, Vec<u8>)> = Vec::new();
    for listener in ["plain", "empty", "missing", "refused", "full"] {
        probes.push((listener, b"hello".to_vec()));
    }
    for name in ["a.test", "A.TEST", "b.test", "x.b.test", "c.test", "test", "other.example"] {
        probes.push(("names", client_hello(name, &[])));
        probes.push(("names", client_hello(name, &["h2", "http/1.1"])));
    }
    for name in ["a", "B", "two", "empty", "refused", "nobody", "outbound_.80_._.a"] {
        probes.push(("clusters", client_hello(name, &[])));
    }
    probes.push(("clusters", b"no TLS".to_vec()));
    for text in [
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.0\r\n",
        "GET /\r\n",
        "GET / HTTP/2.0\r\n",
        "GET / HTTP/1.2\r\n",
        "GET / FOO/1.1\r\n",
        "GET / HTTP/1.1\n",
        "GET  / HTTP/1.1\r\n",
        "GET / x HTTP/1.1\r\n",
        "ANY / HTTP/1.1\r\n",
        "get / HTTP/1.1\r\n",
        "GET * HTTP/1.1\r\n",
        "GET http://a/ HTTP/1.1\r\n",
        "GET a HTTP/1.1\r\n",
        "CONNECT a:1 HTTP/1.1\r\n",
        "M-SEARCH / HTTP/1.1\r\n",
        "\r\nGET / HTTP/1.1\r\n",
        "hello world\r\n",
        "SSH-2.0-x\r\n",
        "GET / HT",
        "abc",
        "",
        "\0\x01\x02\x03\x04\x05",
        "\x16\x03\x01\0\x05hello",
        "\x16\x03",
        "G@T / HTTP/1.1\r\n",
        "PRI * HTTP/2.0\r\n",
    ] {
        probes.push(("kinds", text.as_bytes().to_vec()));
        probes.push(("http", text.as_bytes().to_vec()));
    }
    probes.push(("kinds", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()));
    probes.push(("kinds", client_hello("a.test", &[])));
    probes.push(("kinds", client_hello("a.test", &["http/1.1"])));
    for text in [
        "PROXY TCP4 192.0.2.7 10.0.0.1 4321 80\r\nhello",
        "PROXY UNKNOWN\r\nhello",
        "PROXY UNKNOWN more words\r\nhello",
        "PROXY TCP4 192.0.2.7 10.0.0.1 4321\r\nhello",
        "PROXY TCP4 2001:db8::1 10.0.0.1 4321 80\r\nhello",
        "PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "PROXY TCP4 198.51.100.1 10.0.0.1 4321 80\r\nhello",
    ] {
        probes.push(("proxied", text.as_bytes().to_vec()));
    }
    let signature = b"\r\n\r\n\0\r\nQUIT\n";
    let binary = |rest: &[u8]| [&signature[..], rest, b"hello"].concat();
    let addresses = [192, 0, 2, 7, 10, 0, 0, 1, 16, 225, 0, 80];
    probes.push(("proxied", binary(&[&[0x21, 0x11, 0, 12][..], &addresses].concat())));
    probes.push(("proxied", binary(&[0x20, 0, 0, 0])));
    probes.push(("proxied", binary(&[0x31, 0x11, 0, 0])));
    probes.push(("proxied", binary(&[0x21, 0x11, 0, 1, 9])));
    probes
}

/// The client hello of TLS 1.2 for this server name and these protocols, and nothing else.
fn client_hello(name: &str, protocols: &[&str]) -> Vec<u8> {
    let sized =
        |data: &[u8]| [&u16::try_from(data.len()).unwrap().to_be_bytes()[..], data].concat();
    let entry = [&[0], &sized(name.as_bytes())[..]].concat();
    let mut extensions = [&[0, 0], &sized(&sized(&entry))[..]].concat();
    if !protocols.is_empty() {
        let short = |name: &&str| [&[u8::try_from(name.len()).unwrap()], name.as_bytes()].concat();
        let list: Vec<u8> = protocols.iter().flat_map(short).collect();
        extensions.extend([&[0, 16], &sized(&sized(&list))[..]].concat());
    }
    let body = [&[3, 3], &[7; 32][..], &[0], &[0, 2, 0xc0, 0x2f][..], &[1, 0], &sized(&extensions)];
    let message = [&[1, 0], &sized(&body.concat())[..]].concat();
    [&[22, 3, 1], &sized(&message)[..]].concat()
}
