//! Connections: which filter chain takes them and what it does, apart from the routes of HTTP requests.

use std::collections::{BTreeMap, BTreeSet};

use pilotage_engine::Tables;
use pilotage_proto::envoy::config::listener::v3::filter::ConfigType;
use pilotage_proto::envoy::config::listener::v3::{Filter, FilterChain, FilterChainMatch, Listener};
use pilotage_proto::envoy::config::core::v3::address::Address;
use pilotage_proto::envoy::config::core::v3::socket_address::PortSpecifier;
use pilotage_proto::envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
use pilotage_proto::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::RouteSpecifier;
use pilotage_proto::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
use pilotage_proto::envoy::extensions::filters::network::tcp_proxy::v3::tcp_proxy::ClusterSpecifier;
use pilotage_proto::{json, unpack};
use serde_json::Value;

use crate::outcome::{Change, ClusterChanges, Facet, Origin, label, origin, told};

/// Connections that change in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionChange {
    /// Which connections.
    pub condition: String,
    /// In what they change.
    pub changes: Vec<Change>,
    /// Where it was written before.
    pub was: Vec<Origin>,
    /// Where it is written now.
    pub becomes: Vec<Origin>,
}

/// What a filter chain does.
#[derive(Debug)]
struct Deed {
    /// Equal exactly if the same happens.
    key: Value,
    text: String,
    /// Route configuration, when HTTP is spoken.
    routes: Option<String>,
    clusters: Vec<String>,
    origin: Option<Origin>,
}

/// Filter chains by listener and condition.
type Chains = BTreeMap<(String, String), Deed>;

/// Connections for which something else happens. Requests are compared by their routes; so HTTP is told of here only
/// where the connection manager itself does something else.
pub(crate) fn connection_changes(
    old: &Tables,
    new: &Tables,
    policies: &ClusterChanges,
) -> Vec<ConnectionChange> {
    let (before, after) = (chains(old), chains(new));
    let routes = |chains: &Chains| -> BTreeSet<String> {
        chains.values().filter_map(|deed| deed.routes.clone()).collect()
    };
    let (routes_before, routes_after) = (routes(&before), routes(&after));
    let compared = |deed: &Deed| {
        // A port that is new or gone is seen where its routes are compared.
        let only_here = |name| !(routes_before.contains(name) && routes_after.contains(name));
        deed.routes.as_ref().is_some_and(only_here)
    };
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let mut all: Vec<ConnectionChange> = Vec::new();
    for key in keys {
        let sides = [before.get(key), after.get(key)];
        if sides.iter().flatten().any(|deed| compared(deed)) {
            continue;
        }
        let changes = changes(sides, policies);
        if changes.is_empty() {
            continue;
        }
        let [was, becomes] =
            sides.map(|deed| deed.and_then(|deed| deed.origin.clone()).into_iter().collect());
        all.push(ConnectionChange { condition: key.1.clone(), changes, was, becomes });
    }
    merged(all)
}

/// Those that differ in nothing but where they go to, together.
fn merged(all: Vec<ConnectionChange>) -> Vec<ConnectionChange> {
    let mut merged: Vec<ConnectionChange> = Vec::new();
    for change in all {
        let alike = |known: &&mut ConnectionChange| known.changes == change.changes;
        match merged.iter_mut().find(alike) {
            Some(known) if known.condition.contains(&change.condition) => {}
            Some(known) => known.condition.push_str(&format!("; {}", change.condition)),
            None => merged.push(change),
        }
    }
    merged
}

fn changes(sides: [Option<&Deed>; 2], policies: &ClusterChanges) -> Vec<Change> {
    match sides {
        [Some(old), Some(new)] if old.key == new.key => {
            let changed = old.clusters.iter().filter_map(|name| policies.get(name));
            if old.routes.is_some() { Vec::new() } else { changed.flatten().cloned().collect() }
        }
        [Some(old), Some(new)] => {
            let (mut was, mut becomes) = (old.text.clone(), new.text.clone());
            if was == becomes {
                (was, becomes) = (told(&old.key, &new.key), told(&new.key, &old.key));
            }
            vec![Change { facet: Facet::Manager, was, becomes, places: [None, None] }]
        }
        [old, new] => {
            let text = |deed: Option<&Deed>| {
                deed.map_or("no filter chain of their own".to_owned(), |deed| deed.text.clone())
            };
            vec![Change {
                facet: Facet::Manager,
                was: text(old),
                becomes: text(new),
                places: [None, None],
            }]
        }
    }
}

fn chains(tables: &Tables) -> Chains {
    let mut all = Chains::new();
    for listener in tables.accepted().listeners.values() {
        let place = address(listener);
        for chain in listener.filter_chains.iter().chain(&listener.default_filter_chain) {
            let condition = chain.filter_chain_match.as_ref().map(told_match).unwrap_or_default();
            let condition = format!("connections to {place}{condition}");
            let deed = deed(listener, chain);
            all.entry((listener.name.clone(), condition)).or_insert(deed);
        }
    }
    all
}

fn address(listener: &Listener) -> String {
    let address = listener.address.as_ref().and_then(|address| address.address.as_ref());
    match address {
        Some(Address::SocketAddress(socket)) => {
            let port = match &socket.port_specifier {
                Some(PortSpecifier::PortValue(port)) => port.to_string(),
                _ => "?".to_owned(),
            };
            match &*socket.address {
                "0.0.0.0" | "::" => format!("port {port}"),
                address => format!("{address}:{port}"),
            }
        }
        _ => listener.name.clone(),
    }
}

fn told_match(condition: &FilterChainMatch) -> String {
    let mut parts = Vec::new();
    if let Some(port) = condition.destination_port {
        parts.push(format!("destination port {port}"));
    }
    let ranges: Vec<String> = condition
        .prefix_ranges
        .iter()
        .map(|range| format!("{}/{}", range.address_prefix, range.prefix_len.unwrap_or(0)))
        .collect();
    for (name, list) in [
        ("destination", &ranges),
        ("server name", &condition.server_names),
        ("application protocol", &condition.application_protocols),
    ] {
        if !list.is_empty() {
            parts.push(format!("{name} {}", list.join(" or ")));
        }
    }
    if !condition.transport_protocol.is_empty() {
        parts.push(format!("transport {}", condition.transport_protocol));
    }
    let rest = FilterChainMatch {
        destination_port: None,
        prefix_ranges: Vec::new(),
        server_names: Vec::new(),
        application_protocols: Vec::new(),
        transport_protocol: String::new(),
        ..condition.clone()
    };
    if rest != FilterChainMatch::default() {
        parts.push(format!("{rest:?}"));
    }
    parts.iter().map(|part| format!(", {part}")).collect()
}

fn deed(listener: &Listener, chain: &FilterChain) -> Deed {
    let tls = json_of(chain.transport_socket.as_ref());
    let inspected: Vec<Value> =
        listener.listener_filters.iter().map(|filter| json_of(Some(filter))).collect();
    let mut deed = Deed {
        key: Value::Null,
        text: String::new(),
        routes: None,
        clusters: Vec::new(),
        origin: origin(chain.metadata.as_ref()).or_else(|| origin(listener.metadata.as_ref())),
    };
    let filters: Vec<Value> = chain.filters.iter().map(|filter| deed.filter(filter)).collect();
    deed.key = serde_json::json!({ "filters": filters, "tls": tls, "inspection": inspected });
    if deed.text.is_empty() {
        "closed".clone_into(&mut deed.text);
    }
    if !deed.key.get("tls").is_none_or(Value::is_null) {
        deed.text.push_str(" behind TLS");
    }
    deed
}

impl Deed {
    /// Notes what `filter` does; gives its settings without what only names or records.
    fn filter(&mut self, filter: &Filter) -> Value {
        let Some(ConfigType::TypedConfig(any)) = &filter.config_type else {
            return json_of(Some(filter));
        };
        if let Ok(manager) = unpack::<HttpConnectionManager>(any) {
            let routes = match &manager.route_specifier {
                Some(RouteSpecifier::Rds(rds)) => rds.route_config_name.clone(),
                Some(RouteSpecifier::RouteConfig(routes)) => routes.name.clone(),
                _ => String::new(),
            };
            self.text = format!("HTTP, routes {routes}");
            self.routes = Some(routes.clone());
            let mut settings = json_of(Some(&manager));
            remove(&mut settings, &["statPrefix", "accessLog", "routeConfig", "rds"]);
            return serde_json::json!({ "http": settings, "routes": routes });
        }
        if let Ok(tcp) = unpack::<TcpProxy>(any) {
            self.tcp(&tcp);
            let mut settings = json_of(Some(&tcp));
            remove(&mut settings, &["statPrefix", "accessLog"]);
            return serde_json::json!({ "tcp": settings });
        }
        json_of(Some(filter))
    }

    fn tcp(&mut self, tcp: &TcpProxy) {
        let shares: Vec<(String, u32)> = match &tcp.cluster_specifier {
            Some(ClusterSpecifier::Cluster(cluster)) => vec![(cluster.clone(), 1)],
            Some(ClusterSpecifier::WeightedClusters(weighted)) => {
                weighted.clusters.iter().map(|one| (one.name.clone(), one.weight)).collect()
            }
            None => Vec::new(),
        };
        let total: u32 = shares.iter().map(|(_, weight)| *weight).sum();
        let text: Vec<String> = shares
            .iter()
            .map(|(name, weight)| match shares.len() {
                1 => label(name, ""),
                _ => format!("{} {weight} of {total}", label(name, "")),
            })
            .collect();
        self.text = format!("TCP to {}", text.join(", "));
        self.clusters = shares.into_iter().map(|(name, _)| name).collect();
    }
}

fn remove(value: &mut Value, fields: &[&str]) {
    if let Value::Object(map) = value {
        for field in fields {
            map.remove(*field);
        }
    }
}

fn json_of<M: pilotage_proto::Message + pilotage_proto::Name>(message: Option<&M>) -> Value {
    message.and_then(|message| json::to_value(message).ok()).unwrap_or_default()
}
