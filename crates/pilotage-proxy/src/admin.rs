//! The endpoints for people and tools: admin, metrics, readiness. They run on a thread of their own, so that a slow
//! scrape never delays a request; names of DNS clusters are resolved there too.

mod clusters;
mod pages;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use pilotage_engine::Tables;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{Notify, oneshot};
use tokio::time::MissedTickBehavior;

use crate::config::{ConfigDump, Explain, ProxyConfig, SetLogFilter};
use crate::dns;
use crate::health;
use crate::listeners::{BoundListener, bind_group};
use crate::metrics::Registry;
use crate::proxy::StartError;
use crate::tls::TlsStore;
use crate::worker::Entry;

/// How soon a certificate file that was replaced is used.
const LOOK_AT_FILES_EVERY: Duration = Duration::from_secs(1);
/// The longest question that is read.
const LONGEST_QUESTION_BYTES: usize = 64 << 10;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How far the proxy is.
#[derive(Debug)]
pub(crate) struct State {
    phase: AtomicU8,
    pub(crate) started: Instant,
}

/// Envoy's names for how far a proxy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Initializing,
    Live,
    Draining,
}

impl State {
    pub(crate) fn new(started: Instant) -> Self {
        Self { phase: AtomicU8::new(0), started }
    }

    pub(crate) fn set_ready(&self) {
        self.phase.store(1, Ordering::Release);
    }

    pub(crate) fn set_draining(&self) {
        self.phase.store(2, Ordering::Release);
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Initializing,
            1 => Phase::Live,
            _ => Phase::Draining,
        }
    }
}

/// What the endpoints show.
#[derive(Clone)]
pub(crate) struct AdminState {
    pub(crate) registry: Arc<Registry>,
    pub(crate) tables: Arc<ArcSwap<Tables>>,
    /// Notified of new tables.
    pub(crate) published: Arc<Notify>,
    pub(crate) listeners: Arc<Mutex<BTreeMap<Entry, BoundListener>>>,
    pub(crate) state: Arc<State>,
    pub(crate) tls: Arc<TlsStore>,
    pub(crate) config_dump: Option<ConfigDump>,
    pub(crate) explain: Option<Explain>,
    pub(crate) set_log_filter: Option<SetLogFilter>,
}

/// Which pages a port serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    Admin,
    Metrics,
    Ready,
}

/// The running endpoints. They end when this is dropped.
#[derive(Debug)]
pub(crate) struct Admin {
    pub(crate) admin_address: Option<SocketAddr>,
    pub(crate) metrics_address: Option<SocketAddr>,
    pub(crate) ready_address: Option<SocketAddr>,
    _end: oneshot::Sender<()>,
}

impl Admin {
    /// Binds the ports of `config` and serves them.
    ///
    /// # Errors
    /// When a port cannot be bound or no thread be started.
    pub(crate) fn start(
        config: &ProxyConfig,
        state: AdminState,
        questions: dns::Questions,
    ) -> Result<Self, StartError> {
        let mut ports = Vec::new();
        let mut bind = |address: Option<SocketAddr>, port| -> Result<_, StartError> {
            let Some(address) = address else { return Ok(None) };
            let (bound, sockets) = bind_group(address, 1, false)?;
            ports.extend(sockets.into_iter().map(|socket| (port, socket)));
            Ok(Some(bound))
        };
        let admin_address = bind(config.admin_address, Port::Admin)?;
        let metrics_address = bind(config.metrics_address, Port::Metrics)?;
        let ready_address = bind(config.ready_address, Port::Ready)?;
        let (end, ended) = oneshot::channel();
        let name_servers = config.name_servers.clone();
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        std::thread::Builder::new().name("admin".to_owned()).spawn(move || {
            runtime.block_on(async {
                let (tables, published) = (Arc::clone(&state.tables), Arc::clone(&state.published));
                tokio::spawn(dns::run(tables, published, questions, name_servers));
                tokio::spawn(health::run(Arc::clone(&state.tables), state.state.started));
                tokio::spawn(watch_files(Arc::clone(&state.tls)));
                for (port, socket) in ports {
                    tokio::spawn(accept(port, socket, state.clone()));
                }
                // The sender is never used but to be dropped.
                ended.await.ok();
            });
            // A lookup that hangs must not keep the thread.
            runtime.shutdown_background();
        })?;
        Ok(Self { admin_address, metrics_address, ready_address, _end: end })
    }
}

/// Looks at certificate files from time to time. That works on every file system and for every way to replace a file.
async fn watch_files(tls: Arc<TlsStore>) {
    let mut looks = tokio::time::interval(LOOK_AT_FILES_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        tls.refresh_files();
    }
}

async fn accept(port: Port, socket: StdListener, state: AdminState) -> io::Result<()> {
    let listener = TcpListener::from_std(socket)?;
    loop {
        match listener.accept().await {
            Ok((stream, _peer)) => {
                let state = state.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request: Request<Incoming>| {
                        let state = state.clone();
                        async move { Ok::<_, Infallible>(serve(port, &state, request).await) }
                    });
                    let connection =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "an admin connection ended");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept admin connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(
    port: Port,
    state: &AdminState,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (method, uri) = (request.method(), request.uri());
    match port {
        Port::Admin if uri.path() == "/explain" && method == Method::POST => {
            let body = Limited::new(request.into_body(), LONGEST_QUESTION_BYTES).collect().await;
            pages::explain(state, body.ok().map(Collected::to_bytes))
        }
        Port::Admin => pages::admin(state, method, uri),
        Port::Metrics => pages::metrics(state, uri),
        Port::Ready => pages::readiness(state, uri),
    }
}
