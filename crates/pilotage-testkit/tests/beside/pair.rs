//! Both proxies, started from one bootstrap.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{io, thread};

use arc_swap::ArcSwap;
use pilotage_engine::{LiveState, Severity, Tables};
use pilotage_proto::json;
use pilotage_proxy::bootstrap::Bootstrap;
use pilotage_proxy::{Proxy, ProxyConfig, ProxyHandle};
use pilotage_testkit::envoy::{Envoy, bootstrap};
use pilotage_testkit::{peers, wire};
use serde_json::{Value, json};

/// A bound for hung tests only.
const PATIENCE: Duration = Duration::from_secs(20);
/// The file that access logs go to; each side has its own.
pub(crate) const LOG_FILE: &str = "/side/access.log";

/// A real Envoy and our proxy.
pub(crate) struct Pair {
    pub(crate) envoy: Side,
    pub(crate) ours: Side,
    _envoy: Envoy,
    _handle: ProxyHandle,
}

/// One of them, as a client sees it.
pub(crate) struct Side {
    pub(crate) name: &'static str,
    pub(crate) listeners: BTreeMap<String, SocketAddr>,
    admin: SocketAddr,
    folder: tempfile::TempDir,
}

impl Pair {
    /// Starts both; nothing when there is no Envoy.
    pub(crate) fn start(listeners: &[Value], clusters: &[Value]) -> Option<Self> {
        let program = peers::require("envoy")?;
        let bootstrap = bootstrap(&json!(listeners), &json!(clusters));
        let [folder, own_folder] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let envoy = Envoy::start(&program, &logging_to(&bootstrap, &folder)).unwrap();
        let theirs = Side {
            name: "Envoy",
            listeners: envoy.listeners().unwrap(),
            admin: envoy.admin(),
            folder,
        };
        let handle = start_ours(&logging_to(&bootstrap, &own_folder));
        let bound = handle.listeners().into_iter().map(|l| (l.name.to_string(), l.bound));
        let (listeners, admin) = (bound.collect(), handle.admin_address().unwrap());
        let ours = Side { name: "we", listeners, admin, folder: own_folder };
        Some(Self { envoy: theirs, ours, _envoy: envoy, _handle: handle })
    }

    /// Envoy, then we.
    pub(crate) fn sides(&self) -> [&Side; 2] {
        [&self.envoy, &self.ours]
    }
}

fn logging_to(bootstrap: &Value, folder: &tempfile::TempDir) -> Value {
    let file = folder.path().join("access.log");
    let text = bootstrap.to_string().replace(LOG_FILE, file.to_str().unwrap());
    serde_json::from_str(&text).unwrap()
}

fn start_ours(bootstrap: &Value) -> ProxyHandle {
    let (bootstrap, problems) = Bootstrap::read(&json::from_value(bootstrap).unwrap());
    assert!(problems.is_empty(), "{problems:#?}");
    let live = Arc::new(LiveState::new());
    let (tables, rejections) = Tables::apply(&Tables::empty(), &bootstrap.resources, &live);
    let refused: Vec<_> = rejections.iter().filter(|r| r.severity == Severity::Rejected).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let config = ProxyConfig { workers: 1, ..bootstrap.proxy_config() };
    Proxy::start(config, Arc::new(ArcSwap::from(tables)), live).unwrap()
}

impl Side {
    /// The body of an admin page.
    pub(crate) fn admin(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
        let answer = wire::ask(self.admin, request.as_bytes()).unwrap().unwrap();
        String::from_utf8(answer.body).unwrap()
    }

    /// The access log, once it has so many lines.
    pub(crate) fn log(&self, lines: usize) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = std::fs::read_to_string(self.folder.path().join("access.log"));
            let text = text.unwrap_or_default();
            if text.lines().count() >= lines || Instant::now() > deadline {
                return text.lines().map(str::to_owned).collect();
            }
            std::thread::sleep(Duration::from_millis(20)); // between two looks
        }
    }
}

/// A listener at any port with an HTTP connection manager and the router; `more` goes into the manager.
pub(crate) fn listener(name: &str, routes: Value, more: Value) -> Value {
    let mut manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "statPrefix": name,
        "routeConfig": {
            "name": name,
            "validateClusters": false,
            "virtualHosts": [{"name": name, "domains": ["*"], "routes": routes}],
        },
        "httpFilters": [{
            "name": "envoy.filters.http.router",
            "typedConfig": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
        }],
    });
    for (key, value) in more.as_object().unwrap() {
        manager[key] = value.clone();
    }
    json!({
        "name": name,
        "address": {"socketAddress": {"address": "127.0.0.1", "portValue": 0}},
        "filterChains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typedConfig": manager,
        }]}],
    })
}

/// A cluster of these endpoints.
pub(crate) fn cluster(name: &str, endpoints: &[SocketAddr]) -> Value {
    let endpoint = |address: &SocketAddr| {
        let (ip, port) = (address.ip().to_string(), address.port());
        json!({"endpoint": {"address": {"socketAddress": {"address": ip, "portValue": port}}}})
    };
    let endpoints: Vec<Value> = endpoints.iter().map(endpoint).collect();
    json!({
        "name": name, "type": "STATIC", "connectTimeout": "10s",
        "loadAssignment": {"clusterName": name, "endpoints": [{"lbEndpoints": endpoints}]},
    })
}

/// An access log of what became of each request: status, flags and details.
pub(crate) fn log_of_outcomes() -> Value {
    let format = "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n";
    json!([{"name": "file", "typedConfig": {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
        "path": LOG_FILE,
        "logFormat": {"textFormatSource": {"inlineString": format}},
    }}])
}

/// An upstream: each of its connections is served in a thread of its own.
pub(crate) fn serving(
    serve: impl Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static,
) -> SocketAddr {
    let listening = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listening.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listening.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || serve(stream));
        }
    });
    address
}
