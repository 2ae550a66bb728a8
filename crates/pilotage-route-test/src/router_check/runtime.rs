//! Tables of a route configuration, for the runtime key that a test turns on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilotage_engine::filter_chain::ChainAction;
use pilotage_engine::http_manager::HttpManager;
use pilotage_engine::{LiveState, Rejection, Tables};
use pilotage_proto::envoy::config::route::v3::route::Action;
use pilotage_proto::envoy::config::route::v3::route_action::ClusterSpecifier;
use pilotage_proto::envoy::config::route::v3::{Route, RouteConfiguration};
use pilotage_proto::{ResourceSet, json};
use serde_json::json;

/// Name of the listener and of the route configuration.
const NAME: &str = "routes";

/// Tables by the runtime key that is on, and by the cluster that a header may name.
#[derive(Debug)]
pub(super) struct Runtimes<'c> {
    config: &'c RouteConfiguration,
    known: BTreeMap<(String, BTreeSet<String>), Arc<Stage>>,
}

/// Tables with the connection manager that requests are put to.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) tables: Arc<Tables>,
    pub(super) manager: Option<Arc<HttpManager>>,
    rejections: Vec<Rejection>,
}

impl<'c> Runtimes<'c> {
    pub(super) fn new(config: &'c RouteConfiguration) -> Self {
        Self { config, known: BTreeMap::new() }
    }

    /// What the engine says of the configuration.
    pub(super) fn rejections(&mut self) -> Vec<Rejection> {
        self.stage("", BTreeSet::new()).rejections.clone()
    }

    /// The headers with which requests name their cluster.
    pub(super) fn cluster_headers(&self) -> BTreeSet<String> {
        let named = routes(self.config).filter_map(|route| match cluster_specifier(route)? {
            ClusterSpecifier::ClusterHeader(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        });
        named.collect()
    }

    /// Tables in which the routes of `runtime` take part, and in which the clusters `named` exist besides those of the
    /// configuration.
    pub(super) fn stage(&mut self, runtime: &str, named: BTreeSet<String>) -> Arc<Stage> {
        let key = (runtime.to_owned(), named);
        if let Some(stage) = self.known.get(&key) {
            return Arc::clone(stage);
        }
        let stage = Arc::new(Stage::new(self.config, runtime, &key.1));
        self.known.insert(key, Arc::clone(&stage));
        stage
    }
}

impl Stage {
    fn new(config: &RouteConfiguration, runtime: &str, named: &BTreeSet<String>) -> Self {
        let mut config = config.clone();
        config.name = NAME.to_owned();
        for route in config.virtual_hosts.iter_mut().flat_map(|host| &mut host.routes) {
            turn(route, runtime);
        }
        let mut set = ResourceSet::default();
        for name in clusters(&config).chain(named.iter().cloned()) {
            // Tests look at routes; whether clusters exist is not said in a route configuration.
            let cluster = json!({"name": name, "type": "STATIC", "connectTimeout": "1s"});
            if let Ok(cluster) = json::from_value(&cluster) {
                set.clusters.insert(name, Arc::new(cluster));
            }
        }
        set.routes.insert(NAME.to_owned(), Arc::new(config));
        if let Ok(listener) = json::from_value(&listener()) {
            set.listeners.insert(NAME.to_owned(), Arc::new(listener));
        }
        let (tables, rejections) = Tables::apply(&Tables::empty(), &set, &LiveState::new());
        let manager = tables.listener(NAME).and_then(|listener| {
            listener.chains().find_map(|chain| match &chain.action {
                ChainAction::Http(manager) => Some(Arc::clone(manager)),
                ChainAction::Tcp(_) | ChainAction::Close => None,
            })
        });
        Self { tables, manager, rejections }
    }
}

/// A listener whose connection manager has the routes and nothing else.
fn listener() -> serde_json::Value {
    const EXTENSIONS: &str = "type.googleapis.com/envoy.extensions.filters";
    json!({
        "name": NAME,
        "address": {"socketAddress": {"address": "127.0.0.1", "portValue": 80}},
        "filterChains": [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typedConfig": {
            "@type": format!("{EXTENSIONS}.network.http_connection_manager.v3.HttpConnectionManager"),
            "statPrefix": NAME,
            "rds": {"routeConfigName": NAME, "configSource": {"ads": {}}},
            "upgradeConfigs": [{"upgradeType": "websocket"}, {"upgradeType": "CONNECT"}],
            "httpFilters": [{"name": "envoy.filters.http.router", "typedConfig": {
                "@type": format!("{EXTENSIONS}.http.router.v3.Router")
            }}]
        }}]}]
    })
}

/// Routes with a runtime fraction take part in tests that turn their key on, and in no other.
fn turn(route: &mut Route, runtime: &str) {
    let Some(fraction) = route.r#match.as_mut().and_then(|wanted| wanted.runtime_fraction.as_mut())
    else {
        return;
    };
    let is_on = !runtime.is_empty() && fraction.runtime_key == runtime;
    let share = fraction.default_value.get_or_insert_default();
    share.numerator = if is_on { share.numerator.max(1) } else { 0 };
}

fn routes(config: &RouteConfiguration) -> impl Iterator<Item = &Route> {
    config.virtual_hosts.iter().flat_map(|host| &host.routes)
}

fn cluster_specifier(route: &Route) -> Option<&ClusterSpecifier> {
    match route.action.as_ref()? {
        Action::Route(action) => action.cluster_specifier.as_ref(),
        _ => None,
    }
}

/// Names of all clusters that routes name themselves.
fn clusters(config: &RouteConfiguration) -> impl Iterator<Item = String> {
    routes(config).flat_map(|route| match cluster_specifier(route) {
        Some(ClusterSpecifier::Cluster(name)) => vec![name.clone()],
        Some(ClusterSpecifier::WeightedClusters(weighted)) => {
            weighted.clusters.iter().map(|cluster| cluster.name.clone()).collect()
        }
        _ => Vec::new(),
    })
}
