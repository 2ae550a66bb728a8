//! What a filter chain does with the connections that it takes.

use pilotage_engine::listener::ListenerTable;
use pilotage_proto::envoy::config::listener::v3::filter::ConfigType;
use pilotage_proto::envoy::config::listener::v3::{Filter, FilterChain, Listener};
use pilotage_proto::envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
use pilotage_proto::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::RouteSpecifier;
use pilotage_proto::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
use pilotage_proto::envoy::extensions::filters::network::tcp_proxy::v3::tcp_proxy::ClusterSpecifier;
use pilotage_proto::{json, unpack};
use serde_json::Value;

use crate::outcome::{Change, ClusterChanges, Facet, Origin, Split, told};

/// What becomes of a connection.
#[derive(Debug)]
pub(super) struct Deed {
    /// Equal exactly if the same happens.
    key: Value,
    text: String,
    /// Route configuration, when HTTP is spoken.
    pub(super) routes: Option<String>,
    clusters: Vec<String>,
    pub(super) origin: Option<Origin>,
}
/// Fields that say nothing of what happens to a connection.
const SILENT: [&str; 2] = ["statPrefix", "accessLog"];

impl Deed {
    /// What becomes of connections that no chain takes.
    pub(super) fn closed() -> Self {
        let (key, text) = (Value::Null, "closed".to_owned());
        Self { key, text, routes: None, clusters: Vec::new(), origin: None }
    }

    /// What `chain` of the listener `proto` does, which was compiled to `listener`.
    pub(super) fn of(listener: &ListenerTable, proto: &Listener, chain: &FilterChain) -> Self {
        let found =
            Origin::of(chain.metadata.as_ref()).or_else(|| Origin::of(proto.metadata.as_ref()));
        let mut deed = Self { origin: found, ..Self::closed() };
        let filters: Vec<Value> = chain.filters.iter().map(|filter| deed.filter(filter)).collect();
        if filters.is_empty() {
            return deed;
        }
        let seen = &listener.inspection;
        let patience = (seen.proxy_protocol, seen.timeout, seen.continue_on_timeout);
        let tls = json_of(chain.transport_socket.as_ref());
        if !tls.is_null() {
            deed.text.push_str(" behind TLS");
        }
        let patience = format!("{patience:?}");
        deed.key = serde_json::json!({ "filters": filters, "tls": tls, "inspection": patience });
        deed
    }

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
            remove(&mut settings, &SILENT);
            remove(&mut settings, &["routeConfig", "rds"]);
            return serde_json::json!({ "http": settings, "routes": routes });
        }
        if let Ok(tcp) = unpack::<TcpProxy>(any) {
            let split = split(&tcp);
            self.text = format!("TCP to {}", split.text);
            self.clusters = split.clusters;
            let mut settings = json_of(Some(&tcp));
            remove(&mut settings, &SILENT);
            remove(&mut settings, &["cluster", "weightedClusters"]);
            return serde_json::json!({ "tcp": settings, "shares": split.key });
        }
        json_of(Some(filter))
    }

    /// What is different in `new`.
    pub(super) fn changes(&self, new: &Self, policies: &ClusterChanges) -> Vec<Change> {
        if self.key == new.key {
            let clusters = self.clusters.iter().filter(|_| self.routes.is_none());
            return clusters.filter_map(|name| policies.get(name)).flatten().cloned().collect();
        }
        let (mut was, mut becomes) = (self.text.clone(), new.text.clone());
        if was == becomes {
            (was, becomes) = (told(&self.key, &new.key), told(&new.key, &self.key));
        }
        vec![Change { facet: Facet::Manager, was, becomes, places: [None, None] }]
    }
}

/// How connections are split.
fn split(tcp: &TcpProxy) -> Split {
    match &tcp.cluster_specifier {
        Some(ClusterSpecifier::Cluster(cluster)) => {
            Split::of(std::iter::once((cluster.as_str(), 1)), "")
        }
        Some(ClusterSpecifier::WeightedClusters(weighted)) => {
            let shares = weighted.clusters.iter();
            Split::of(shares.map(|one| (one.name.as_str(), u64::from(one.weight))), "")
        }
        None => Split::of(std::iter::empty(), ""),
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
