//! Upstreams that answer as they are told, and a real Envoy and our proxy in front of them.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pilotage_engine::{LiveState, Severity, Tables};
use pilotage_proto::envoy::config::core::v3::Locality;
use pilotage_proto::{LocalCluster, ResourceSet};
use pilotage_proxy::{Proxy, ProxyConfig, ProxyHandle};
use pilotage_testkit::envoy::{Envoy, bootstrap};
use pilotage_testkit::resources;
use pilotage_testkit::wire::{self, Message, Reader};
use serde_json::{Value, json};

/// Longer than anything takes that is going to happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Listens at one port of every loopback address. The header `x-answer` says what to answer: a status, `reset` to close
/// the connection, `hold` to wait until the gate opens.
pub(crate) struct Upstream {
    pub(crate) port: u16,
    gate: Arc<(Mutex<bool>, Condvar)>,
    held: Arc<AtomicUsize>,
}

impl Upstream {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let gate = Arc::<(Mutex<bool>, Condvar)>::default();
        let held = Arc::<AtomicUsize>::default();
        let (theirs, count) = (Arc::clone(&gate), Arc::clone(&held));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (gate, held) = (Arc::clone(&theirs), Arc::clone(&count));
                thread::spawn(move || answer(stream, &gate, &held));
            }
        });
        Self { port, gate, held }
    }

    /// Waits until so many requests wait for the gate.
    pub(crate) fn wait_until_held(&self, count: usize) {
        until("requests are held", || self.held.load(Ordering::SeqCst) >= count);
    }

    pub(crate) fn open_gate(&self) {
        *self.gate.0.lock().unwrap() = true;
        self.gate.1.notify_all();
        until("all have gone", || self.held.load(Ordering::SeqCst) == 0);
    }

    pub(crate) fn close_gate(&self) {
        *self.gate.0.lock().unwrap() = false;
    }
}

fn answer(stream: TcpStream, gate: &(Mutex<bool>, Condvar), held: &AtomicUsize) -> io::Result<()> {
    let reached = stream.local_addr()?.ip();
    let mut out = stream.try_clone()?;
    let mut reader = Reader::new(stream);
    while let Some(request) = reader.message(false)? {
        let status = match request.header("x-answer") {
            Some("reset") => return Ok(()),
            Some("hold") => {
                held.fetch_add(1, Ordering::SeqCst);
                let open = gate.0.lock().unwrap();
                drop(gate.1.wait_while(open, |open| !*open).unwrap());
                held.fetch_sub(1, Ordering::SeqCst);
                "200"
            }
            Some(status) => status,
            None => "200",
        };
        let head =
            format!("HTTP/1.1 {status} X\r\nx-reached: {reached}\r\ncontent-length: 0\r\n\r\n");
        out.write_all(head.as_bytes())?;
    }
    Ok(())
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::yield_now();
    }
}

/// One of the two proxies.
pub(crate) struct Side {
    pub(crate) name: &'static str,
    pub(crate) listener: SocketAddr,
    admin: SocketAddr,
}

impl Side {
    pub(crate) fn admin(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let answer = wire::ask(self.admin, request.as_bytes()).unwrap().unwrap();
        String::from_utf8(answer.body).unwrap()
    }

    /// Addresses of the endpoints of `cluster` that failed the outlier check.
    pub(crate) fn ejected(&self, cluster: &str) -> Vec<String> {
        let text = self.admin("/clusters");
        let own = text.lines().filter_map(|line| line.strip_prefix(cluster)?.strip_prefix("::"));
        let flags = own.filter_map(|line| line.split_once("::health_flags::"));
        let mut out: Vec<String> = flags
            .filter(|(_, flags)| flags.contains("/failed_outlier_check"))
            .map(|(address, _)| address.to_owned())
            .collect();
        out.sort();
        out
    }

    /// The value of a statistic of `cluster`.
    pub(crate) fn stat(&self, cluster: &str, name: &str) -> u64 {
        let wanted = format!("cluster.{cluster}.{name}: ");
        let text = self.admin("/stats");
        let value = text.lines().find_map(|line| line.strip_prefix(&wanted));
        value.unwrap_or_else(|| panic!("{}: no {wanted}", self.name)).parse().unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        let stream = TcpStream::connect(self.listener).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { reader: Reader::new(stream.try_clone().unwrap()), stream }
    }
}

/// A connection that stays open.
pub(crate) struct Client {
    stream: TcpStream,
    reader: Reader<TcpStream>,
}

impl Client {
    pub(crate) fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Message {
        let mut text = format!("GET {path} HTTP/1.1\r\nhost: test\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        self.stream.write_all((text + "\r\n").as_bytes()).unwrap();
        self.reader.message(false).unwrap().unwrap()
    }

    /// Which endpoint answers; the status where none does.
    pub(crate) fn reached(&mut self, path: &str, headers: &[(&str, &str)]) -> String {
        let answer = self.get(path, headers);
        answer.header("x-reached").map_or(answer.status().to_string(), str::to_owned)
    }
}

/// Both proxies with the same clusters. A request for `/NAME` goes to the cluster of that name.
pub(crate) struct Stage {
    pub(crate) envoy: Side,
    pub(crate) ours: Side,
    _envoy: Envoy,
    handle: ProxyHandle,
    /// What our proxy was told, and what it made of it.
    told: ResourceSet,
    tables: Arc<ArcSwap<Tables>>,
    live: Arc<LiveState>,
}

impl Stage {
    /// `routes` are more fields of the route to a cluster.
    pub(crate) fn new(program: &Path, clusters: &[Value], routes: &BTreeMap<&str, Value>) -> Self {
        Self::delivering(program, clusters, routes, &[])
    }

    /// Both proxies are in `zone`, and `local` is the cluster of proxies like them.
    pub(crate) fn in_zone(program: &Path, (zone, local): (&str, &str), clusters: &[Value]) -> Self {
        let listeners = json!([listener(clusters, &BTreeMap::new())]);
        let mut bootstrap = bootstrap(&listeners, &clusters.into());
        bootstrap["node"]["locality"] = json!({"zone": zone});
        bootstrap["clusterManager"] = json!({"localClusterName": local});
        let local = LocalCluster {
            name: local.to_owned(),
            locality: Locality { zone: zone.to_owned(), ..Locality::default() },
        };
        Self::start(program, &bootstrap, json!({}), Some(local))
    }

    /// `assignments` are what EDS clusters begin with on our side; Envoy reads the files that they name.
    pub(crate) fn delivering(
        program: &Path,
        clusters: &[Value],
        routes: &BTreeMap<&str, Value>,
        assignments: &[Value],
    ) -> Self {
        let listeners = json!([listener(clusters, routes)]);
        let bootstrap = bootstrap(&listeners, &clusters.into());
        Self::start(program, &bootstrap, assignments.into(), None)
    }

    fn start(
        program: &Path,
        bootstrap: &Value,
        assignments: Value,
        local: Option<LocalCluster>,
    ) -> Self {
        let envoy = Envoy::start(program, bootstrap).unwrap();
        let theirs = envoy.listeners().unwrap()["l"];
        let mut told = bootstrap["staticResources"].clone();
        told["listeners"][0]["address"]["socketAddress"]["portValue"] = json!(1);
        told["endpoints"] = assignments;
        let mut told = resources::from_dump(&told).unwrap();
        told.local_cluster = local;
        let live = Arc::new(LiveState::new());
        let tables = Arc::new(ArcSwap::from(compiled(&Tables::empty(), &told, &live)));
        let config = ProxyConfig {
            workers: 1,
            admin_address: Some(([127, 0, 0, 1], 0).into()),
            bind: Arc::new(|wanted| SocketAddr::new(wanted.ip(), 0)),
            ..ProxyConfig::new()
        };
        let handle = Proxy::start(config, Arc::clone(&tables), Arc::clone(&live)).unwrap();
        let listener = handle.listeners()[0].bound;
        let admin = handle.admin_address().unwrap();
        Self {
            envoy: Side { name: "envoy", listener: theirs, admin: envoy.admin() },
            ours: Side { name: "ours", listener, admin },
            _envoy: envoy,
            handle,
            told,
            tables,
            live,
        }
    }

    /// Gives our proxy these assignments instead of those that it has.
    pub(crate) fn deliver(&self, assignments: &[Value]) {
        let more = resources::from_dump(&json!({"endpoints": assignments})).unwrap();
        let told = ResourceSet { endpoints: more.endpoints, ..self.told.clone() };
        self.tables.store(compiled(&self.tables.load(), &told, &self.live));
        let failed = self.handle.sync_listeners();
        assert!(failed.is_empty(), "{failed:#?}");
    }

    pub(crate) fn sides(&self) -> [&Side; 2] {
        [&self.envoy, &self.ours]
    }
}

fn compiled(before: &Tables, told: &ResourceSet, live: &LiveState) -> Arc<Tables> {
    let (tables, rejections) = Tables::apply(before, told, live);
    let refused: Vec<_> = rejections.iter().filter(|r| r.severity == Severity::Rejected).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    tables
}

fn listener(clusters: &[Value], more: &BTreeMap<&str, Value>) -> Value {
    let idle = json!({"match": {"path": "/idle"}, "directResponse": {"status": 204}});
    let routes: Value = clusters
        .iter()
        .map(|cluster| {
            let name = cluster["name"].as_str().unwrap();
            let mut action = more.get(name).cloned().unwrap_or(json!({}));
            action["cluster"] = json!(name);
            json!({"match": {"pathSeparatedPrefix": format!("/{name}")}, "route": action})
        })
        .chain([idle])
        .collect();
    json!({
        "name": "l",
        "address": {"socketAddress": {"address": "127.0.0.1", "portValue": 0}},
        "filterChains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typedConfig": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "statPrefix": "s",
                "routeConfig": {"name": "r", "virtualHosts": [{"name": "v", "domains": ["*"], "routes": routes}]},
                "httpFilters": [{"name": "envoy.filters.http.router", "typedConfig": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
            }
        }]}],
    })
}

/// One endpoint: last byte of its address, weight, health.
pub(crate) type At<'a> = (u8, u32, &'a str);

/// A cluster whose localities are (priority, weight, endpoints), on addresses `127.20.N.…`.
pub(crate) fn cluster(
    (name, number, port): (&str, u8, u16),
    options: &Value,
    localities: &[(u32, u32, &[At<'_>])],
) -> Value {
    let localities: Value = localities
        .iter()
        .enumerate()
        .map(|(index, (priority, weight, endpoints))| {
            let endpoints: Value = endpoints
                .iter()
                .map(|(last, weight, health)| {
                    let address = format!("127.20.{number}.{last}");
                    let socket = json!({"address": address, "portValue": port});
                    json!({"endpoint": {"address": {"socketAddress": socket}},
                           "loadBalancingWeight": weight, "healthStatus": health})
                })
                .collect();
            let mut group = json!({"locality": {"zone": format!("z{index}")}, "priority": priority,
                "lbEndpoints": endpoints});
            if *weight > 0 {
                group["loadBalancingWeight"] = json!(weight);
            }
            group
        })
        .collect();
    let mut cluster = json!({"name": name, "type": "STATIC", "connectTimeout": "10s",
        "loadAssignment": {"clusterName": name, "endpoints": localities}});
    for (key, value) in options.as_object().unwrap() {
        cluster[key] = value.clone();
    }
    cluster
}
