//! Where requests find their routes: the route configurations that connection managers of a proxy use.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilotage_engine::filter_chain::ChainAction;
use pilotage_engine::http_manager::{HttpManager, RouteSource};
use pilotage_engine::route_table::RouteTable;
use pilotage_engine::Tables;
use pilotage_proto::envoy::config::listener::v3::filter::ConfigType;
use pilotage_proto::envoy::config::listener::v3::{FilterChain, Listener};
use pilotage_proto::envoy::config::route::v3::RouteConfiguration;
use pilotage_proto::envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
use pilotage_proto::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::RouteSpecifier;
use pilotage_proto::unpack;

use crate::outcome::RetriesTold;

/// A connection manager with its routes.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) manager: Arc<HttpManager>,
    pub(crate) table: Arc<RouteTable>,
    pub(crate) routes: Arc<RouteConfiguration>,
    /// What was told of retries last.
    pub(crate) retries: RetriesTold,
    /// Whether clients speak TLS with this proxy.
    pub(crate) tls: bool,
    /// Whether requests come from outside to the workload of the proxy.
    pub(crate) inbound: bool,
}

/// The places of a proxy, by the name of their route configuration.
pub(crate) fn places(tables: &Tables) -> BTreeMap<String, Place> {
    let mut all = BTreeMap::new();
    for table in tables.listeners() {
        let Some(listener) = tables.accepted().listeners.get(&*table.name) else { continue };
        for (chain, proto) in table.chains().zip(chains(listener)) {
            let ChainAction::Http(manager) = &chain.action else { continue };
            let Some(settings) = connection_manager(proto) else { continue };
            let (name, found, routes) = match &manager.routes {
                RouteSource::Named(name) => {
                    let found = tables.route_table(name);
                    (name.to_string(), found, tables.accepted().routes.get(&**name).cloned())
                }
                RouteSource::Inline(table) => {
                    let routes = match &settings.route_specifier {
                        Some(RouteSpecifier::RouteConfig(routes)) => Some(Arc::new(routes.clone())),
                        _ => None,
                    };
                    (format!("{} {}", listener.name, chain.name), Some(table), routes)
                }
            };
            let (Some(table), Some(routes)) = (found, routes) else { continue };
            let inbound = table.name.starts_with("inbound|");
            all.entry(name).or_insert_with(|| Place {
                manager: Arc::clone(manager),
                table: Arc::clone(table),
                routes,
                retries: RetriesTold::default(),
                tls: chain.tls.is_some(),
                inbound,
            });
        }
    }
    all
}

fn chains(listener: &Listener) -> impl Iterator<Item = &FilterChain> {
    listener.filter_chains.iter().chain(&listener.default_filter_chain)
}

fn connection_manager(chain: &FilterChain) -> Option<HttpConnectionManager> {
    chain.filters.iter().find_map(|filter| match &filter.config_type {
        Some(ConfigType::TypedConfig(any)) => unpack(any).ok(),
        _ => None,
    })
}

impl Place {
    /// What clients write before the host.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// The port in the name of a route configuration: `9080`, `reviews.default:9080`, `http.8080`, `https.443.web…`,
    /// `inbound|9080||`.
    pub(crate) fn port(&self) -> Option<u16> {
        let name = &*self.table.name;
        let parts = name.split(['.', ':', '|']);
        let number = |text: &str| text.parse().ok();
        number(name)
            .or_else(|| name.rsplit_once(':').and_then(|(_, port)| number(port)))
            .or_else(|| parts.skip(1).find_map(number))
    }

    /// Whether a rule looks at what filters found out about a request.
    pub(crate) fn looks_at_metadata(&self) -> bool {
        let mut routes = self.table.virtual_hosts().flat_map(|host| &host.routes);
        routes.any(|route| !route.matcher.dynamic_metadata().is_empty())
    }

    /// The one host of a table that serves a single service.
    pub(crate) fn only_host(&self) -> Option<&str> {
        let (host, port) = self.table.name.rsplit_once(':')?;
        port.parse::<u16>().ok().map(|_| host)
    }
}
