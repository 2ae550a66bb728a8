//! Plain forwarding, for requests on the outbound port to a place where the mesh would forward bytes: the connection
//! manager that such a request gets, one route and nothing else.

use std::sync::Arc;

use pilotage_engine::filter_chain::ChainAction;
use pilotage_engine::http_manager::HttpManager;
use pilotage_engine::{LiveState, Tables};
use pilotage_proto::ResourceSet;
use pilotage_proto::json::from_value;
use serde_json::json;

/// A manager that sends everything to `cluster`.
pub(crate) fn manager(cluster: &str) -> Option<Arc<HttpManager>> {
    let routes = json!({
        "name": "plain",
        "virtualHosts": [{
            "name": cluster,
            "domains": ["*"],
            "routes": [{
                "name": cluster,
                "match": {"prefix": "/"},
                "route": {"cluster": cluster, "timeout": "0s"},
            }],
        }],
    });
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.\
                  http_connection_manager.v3.HttpConnectionManager",
        "statPrefix": "plain",
        "routeConfig": routes,
        "serverHeaderTransformation": "PASS_THROUGH",
        "upgradeConfigs": [{"upgradeType": "websocket"}],
        "httpFilters": [{
            "name": "envoy.filters.http.router",
            "typedConfig": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            },
        }],
    });
    let listener = json!({
        "name": "plain",
        "address": {"socketAddress": {"address": "0.0.0.0", "portValue": 0}},
        "filterChains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typedConfig": manager,
        }]}],
    });
    let mut set = ResourceSet::default();
    set.listeners.insert("plain".to_owned(), Arc::new(from_value(&listener).ok()?));
    let (tables, _rejections) = Tables::apply(&Tables::empty(), &set, &LiveState::new());
    let chain = tables.listener("plain")?.chains().next()?;
    match &chain.action {
        ChainAction::Http(manager) => Some(Arc::clone(manager)),
        ChainAction::Tcp(_) | ChainAction::Close => None,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_resources_are_accepted() {
        assert_eq!(&*super::manager("PassthroughCluster").unwrap().stat_prefix, "plain");
    }
}
