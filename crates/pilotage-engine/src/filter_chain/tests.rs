use pilotage_proto::envoy::config::listener::v3::Listener;
use pilotage_proto::json::from_value;
use serde_json::json;

use super::{ChainIndex, ConnectionInfo};
use crate::listener::Direction;
use crate::rejection::Warnings;

#[test]
fn the_closest_chain_is_chosen_step_by_step() {
    let chain = |name: &str, m: serde_json::Value| json!({"name": name, "filterChainMatch": m});
    let listener: Listener = from_value(&json!({
        "filterChains": [
            chain("any", json!({})),
            chain("port", json!({"destinationPort": 80})),
            chain("port-tls", json!({"destinationPort": 80, "transportProtocol": "tls"})),
            chain("net", json!({"prefixRanges": [{"addressPrefix": "10.0.0.0", "prefixLen": 8}]})),
            chain("host", json!({"prefixRanges": [{"addressPrefix": "10.0.0.1", "prefixLen": 32}],
                                 "serverNames": ["a.example"]})),
            chain("exact", json!({"serverNames": ["a.example"]})),
            chain("wild", json!({"serverNames": ["*.example"]})),
            chain("h2", json!({"applicationProtocols": ["h2c"]})),
            chain("h1", json!({"applicationProtocols": ["http/1.1"]})),
            chain("local", json!({"sourceType": "SAME_IP_OR_LOOPBACK"}))
        ],
        "defaultFilterChain": {"name": "default"}
    }))
    .unwrap();
    let index =
        ChainIndex::compile(&listener, Direction::Outbound, &mut Warnings::default()).unwrap();
    let find = |destination: &str, server_name, tls, protocols: &[&str]| {
        let connection = ConnectionInfo {
            destination: destination.parse().unwrap(),
            source: "192.0.2.1:99".parse().unwrap(),
            direct_source: "192.0.2.1:99".parse().unwrap(),
            server_name,
            tls,
            application_protocols: protocols,
        };
        index.find(&connection).map(|chain| chain.name.to_string())
    };
    for (destination, name, tls, protocols, expected) in [
        ("192.0.2.9:81", None, false, &[][..], "any"),
        ("192.0.2.9:80", None, false, &[], "port"),
        ("192.0.2.9:80", Some("a.example"), true, &[], "port-tls"),
        ("10.2.0.1:81", Some("a.example"), true, &[], "net"),
        // The address decides before the server name does, and there is no way back.
        ("10.0.0.1:81", Some("b.example"), true, &[], "default"),
        ("10.0.0.1:81", Some("a.example"), true, &[], "host"),
        ("192.0.2.9:81", Some("A.Example"), true, &[], "exact"),
        ("192.0.2.9:81", Some("x.b.example"), true, &[], "wild"),
        ("192.0.2.9:81", Some("example"), true, &[], "any"),
        ("192.0.2.9:81", None, false, &["http/1.1"], "h1"),
        ("192.0.2.9:81", None, false, &["spdy", "h2c", "http/1.1"], "h2"),
        ("192.0.2.1:81", None, false, &[], "local"),
    ] {
        let found = find(destination, name, tls, protocols);
        assert_eq!(found.as_deref(), Some(expected), "{destination} {name:?} {protocols:?}");
    }
}
