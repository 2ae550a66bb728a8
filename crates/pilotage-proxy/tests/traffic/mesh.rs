//! Resource sets built by hand, and a proxy that runs them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use pilotage_engine::{LiveState, Tables};
use pilotage_proto::ResourceSet;
use pilotage_proto::json::from_value;
use pilotage_proxy::{
    AccessLogSettings, Lines, LogFormat, LogTarget, Proxy, ProxyConfig, ProxyHandle,
};
use serde_json::{Value, json};

use super::client::get;

/// A resource set in the making.
#[derive(Clone, Default)]
pub(crate) struct Mesh {
    set: ResourceSet,
}

impl Mesh {
    /// A gateway listener `gateway` whose virtual host `*` has these routes.
    pub(crate) fn gateway(routes: Value) -> Self {
        Self::default().listener("gateway", 8080).routes("gateway", json!(["*"]), routes)
    }

    /// A gateway listener, and everything to `cluster` at `endpoints`.
    pub(crate) fn simple(endpoints: &[SocketAddr]) -> Self {
        let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]);
        Self::gateway(routes).cluster("up", endpoints, json!({}))
    }

    /// A listener on `port` with the route configuration of its own name.
    pub(crate) fn listener(self, name: &str, port: u16) -> Self {
        self.listener_with(name, port, json!({}))
    }

    /// The same, with `more` in its connection manager.
    pub(crate) fn listener_with(mut self, name: &str, port: u16, more: Value) -> Self {
        let mut manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.\
                      http_connection_manager.v3.HttpConnectionManager",
            "statPrefix": name,
            "rds": {"routeConfigName": name, "configSource": {"ads": {}}},
            "httpFilters": [{
                "name": "envoy.filters.http.router",
                "typedConfig": {"@type":
                    "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            }],
            "upgradeConfigs": [{"upgradeType": "websocket"}],
        });
        for (key, value) in more.as_object().unwrap() {
            manager[key] = value.clone();
        }
        let listener = json!({
            "name": name,
            "address": {"socketAddress": {"address": "0.0.0.0", "portValue": port}},
            "filterChains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typedConfig": manager,
            }]}],
        });
        self.set.listeners.insert(name.into(), Arc::new(from_value(&listener).unwrap()));
        self
    }

    /// Fields of the connection manager of the listener `name`, added and overridden.
    pub(crate) fn manager(mut self, name: &str, fields: Value) -> Self {
        let listener = self.set.listeners.get_mut(name).unwrap();
        let mut json = pilotage_proto::json::to_value(&**listener).unwrap();
        let config = &mut json["filterChains"][0]["filters"][0]["typedConfig"];
        for (key, value) in fields.as_object().unwrap() {
            config[key] = value.clone();
        }
        *listener = Arc::new(from_value(&json).unwrap());
        self
    }

    /// A sidecar's listener for captured traffic: it has no socket of its own.
    pub(crate) fn captured(mut self, name: &str, port: u16) -> Self {
        self = self.listener(name, port);
        let listener = self.set.listeners.get_mut(name).unwrap();
        Arc::make_mut(listener).bind_to_port = Some(false);
        self
    }

    /// A listener for captured traffic whose bytes go to `cluster`.
    pub(crate) fn tcp(mut self, name: &str, port: u16, cluster: &str) -> Self {
        let listener = json!({
            "name": name,
            "address": {"socketAddress": {"address": "0.0.0.0", "portValue": port}},
            "useOriginalDst": true,
            "filterChains": [{"filters": [{
                "name": "envoy.filters.network.tcp_proxy",
                "typedConfig": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.\
                              tcp_proxy.v3.TcpProxy",
                    "statPrefix": cluster,
                    "cluster": cluster,
                },
            }]}],
        });
        self.set.listeners.insert(name.into(), Arc::new(from_value(&listener).unwrap()));
        self
    }

    /// A listener on `port` with these fields besides name and address.
    pub(crate) fn raw_listener(mut self, name: &str, port: u16, fields: Value) -> Self {
        let mut listener = fields;
        listener["name"] = json!(name);
        listener["address"] = json!({"socketAddress": {"address": "0.0.0.0", "portValue": port}});
        self.set.listeners.insert(name.into(), Arc::new(from_value(&listener).unwrap()));
        self
    }

    /// A listener with these fields besides its name, its address among them.
    pub(crate) fn pipe_listener(mut self, name: &str, fields: Value) -> Self {
        let mut listener = fields;
        listener["name"] = json!(name);
        self.set.listeners.insert(name.into(), Arc::new(from_value(&listener).unwrap()));
        self
    }

    /// The filters of the first chain of a listener.
    pub(crate) fn filters(&self, name: &str) -> Value {
        let listener = pilotage_proto::json::to_value(&*self.set.listeners[name]).unwrap();
        listener["filterChains"][0]["filters"].clone()
    }

    /// A gateway listener `gateway` whose bytes go where `fields` of the TCP proxy say.
    pub(crate) fn tcp_gateway(fields: Value) -> Self {
        let chains = json!({"filterChains": [{"filters": [tcp_proxy(fields)]}]});
        Self::default().raw_listener("gateway", 8080, chains)
    }

    /// A route configuration with one virtual host.
    pub(crate) fn routes(mut self, name: &str, domains: Value, routes: Value) -> Self {
        let config = json!({
            "name": name,
            "ignorePortInHostMatching": true,
            "virtualHosts": [{"name": name, "domains": domains, "routes": routes}],
        });
        self.set.routes.insert(name.into(), Arc::new(from_value(&config).unwrap()));
        self
    }

    /// A static cluster; `more` overrides and adds fields.
    pub(crate) fn cluster(mut self, name: &str, endpoints: &[SocketAddr], more: Value) -> Self {
        let endpoints: Vec<Value> = endpoints
            .iter()
            .map(|address| {
                let (ip, port) = (address.ip().to_string(), address.port());
                json!({"endpoint": {"address": {"socketAddress":
                    {"address": ip, "portValue": port}}}})
            })
            .collect();
        let mut cluster = json!({
            "name": name,
            "type": "STATIC",
            "connectTimeout": "5s",
            "loadAssignment": {"clusterName": name, "endpoints": [{"lbEndpoints": endpoints}]},
        });
        for (key, value) in more.as_object().unwrap() {
            cluster[key] = value.clone();
        }
        self.set.clusters.insert(name.into(), Arc::new(from_value(&cluster).unwrap()));
        self
    }

    /// A name that clients may use.
    pub(crate) fn name(mut self, host: &str, ip: &str) -> Self {
        use pilotage_proto::istio::networking::nds::v1::name_table::NameInfo;
        let info = NameInfo { ips: vec![ip.into()], ..NameInfo::default() };
        Arc::make_mut(&mut self.set.names).table.insert(host.into(), info);
        self
    }

    /// Starts a proxy with one worker.
    pub(crate) fn start(self) -> Running {
        self.start_with(|_| {})
    }

    /// Starts a proxy whose configuration `change` has changed.
    pub(crate) fn start_with(self, change: impl FnOnce(&mut ProxyConfig)) -> Running {
        let live = Arc::new(LiveState::new());
        let tables = Arc::new(ArcSwap::new(apply(&Tables::empty(), &self, &live)));
        let lines = Lines::default();
        let loopback = || Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        let mut config = ProxyConfig {
            workers: 1,
            outbound_address: loopback(),
            admin_address: loopback(),
            metrics_address: loopback(),
            ready_address: loopback(),
            drain_deadline: Duration::from_secs(10),
            access_log: AccessLogSettings {
                target: Some(LogTarget::Memory(lines.clone())),
                format: LogFormat::Json,
            },
            bind: Arc::new(|_wanted| SocketAddr::from(([127, 0, 0, 1], 0))),
            ..ProxyConfig::new()
        };
        change(&mut config);
        let handle = Proxy::start(config, Arc::clone(&tables), Arc::clone(&live)).unwrap();
        Running { handle, tables, live, lines }
    }
}

/// A TCP proxy filter; `fields` say where to.
pub(crate) fn tcp_proxy(fields: Value) -> Value {
    let mut config = fields;
    config["@type"] =
        json!("type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy");
    config["statPrefix"] = json!("tcp");
    json!({"name": "envoy.filters.network.tcp_proxy", "typedConfig": config})
}

/// A listener filter; `kind` is its package and message.
pub(crate) fn listener_filter(kind: &str) -> Value {
    let url = format!("type.googleapis.com/envoy.extensions.filters.listener.{kind}");
    json!({"name": kind, "typedConfig": {"@type": url}})
}

/// HTTP/2 towards a cluster's endpoints.
pub(crate) fn http2_options() -> Value {
    http2_options_with(json!({}))
}

/// The same, with these settings.
pub(crate) fn http2_options_with(settings: Value) -> Value {
    json!({"typedExtensionProtocolOptions": {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicitHttpConfig": {"http2ProtocolOptions": settings},
        },
    }})
}

fn apply(previous: &Tables, mesh: &Mesh, live: &LiveState) -> Arc<Tables> {
    let (tables, rejections) = Tables::apply(previous, &mesh.set, live);
    assert!(rejections.is_empty(), "{rejections:#?}");
    tables
}

/// A running proxy.
pub(crate) struct Running {
    pub(crate) handle: ProxyHandle,
    tables: Arc<ArcSwap<Tables>>,
    live: Arc<LiveState>,
    lines: Lines,
}

impl Running {
    /// The address of the listener called `name`.
    pub(crate) fn listener(&self, name: &str) -> SocketAddr {
        let listeners = self.handle.listeners();
        listeners.iter().find(|listener| &*listener.name == name).unwrap().bound
    }

    /// The address of the listener `gateway`.
    pub(crate) fn gateway(&self) -> SocketAddr {
        self.listener("gateway")
    }

    /// Publishes the next generation.
    pub(crate) fn publish(&self, mesh: &Mesh) {
        self.tables.store(apply(&self.tables.load(), mesh, &self.live));
        let failed = self.handle.sync_listeners();
        assert!(failed.is_empty(), "{failed:?}");
    }

    /// The metrics, as Prometheus gets them.
    pub(crate) fn prometheus(&self) -> String {
        get(self.handle.metrics_address().unwrap(), "/stats/prometheus").body
    }

    /// The counters under Envoy's names.
    pub(crate) fn stats(&self) -> String {
        get(self.handle.admin_address().unwrap(), "/stats").body
    }

    /// Ends the proxy; gives the access log.
    pub(crate) fn finish(self) -> Vec<Value> {
        self.handle.drain();
        let text = self.lines.take();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
