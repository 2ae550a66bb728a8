//! One worker: a thread with its own runtime, listening sockets, upstream pools and metrics shard.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pilotage_engine::cluster::ClusterTable;
use pilotage_engine::filter_chain::ChainAction;
use pilotage_engine::header_names::HeaderNames;
use pilotage_engine::http_manager::HttpManager;
use pilotage_engine::live_state::EndpointState;
use pilotage_engine::outlier_detection::HostResult;
use pilotage_engine::{Env, Tables};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;
use tokio::task::JoinHandle as Task;

use crate::access_log::{AccessLog, Format, LogWriter};
use crate::connection;
use crate::dns::{Hosts, Names};
use crate::drain::Drain;
use crate::http::{self, Moment};
use crate::listeners::Listening;
use crate::metrics::WorkerMetrics;
use crate::pool::Pools;
use crate::tls::TlsStore;
use crate::unix;

/// How often idle connections and the like are looked over.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Wait after a failed accept (no file descriptors left, say) before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// A name without addresses is asked for by requests no more often than this.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Which listener a connection came in by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Entry {
    /// The outbound port: HTTP proxy requests, or requests with a mesh host.
    Outbound,
    /// The listener of that name.
    Listener(Arc<str>),
}

/// What a worker is told to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Accept connections on this socket.
    Listen(Entry, Listening),
    /// Accept what has arrived there, and close the socket. Answered when it is closed.
    StopListening(Entry, std::sync::mpsc::Sender<()>),
    /// Drop what older tables are kept alive for.
    Refresh,
    /// Close idle connections, finish the others, and end; after the given time, end in any case.
    Drain(Duration),
}

/// What a worker is made of; sent to its thread.
pub(crate) struct Seed {
    pub(crate) index: usize,
    pub(crate) tables: Arc<ArcSwap<Tables>>,
    pub(crate) metrics: WorkerMetrics,
    pub(crate) log: Option<(Arc<Format>, Arc<LogWriter>)>,
    pub(crate) epoch: Instant,
    pub(crate) hostname: Arc<str>,
    pub(crate) names: Names,
    pub(crate) tls: Arc<TlsStore>,
}

/// The state of a worker, shared by all its tasks.
#[derive(Debug)]
pub(crate) struct Worker {
    tables: RefCell<Rc<Generation>>,
    published: Arc<ArcSwap<Tables>>,
    pub(crate) pools: Pools,
    pub(crate) metrics: WorkerMetrics,
    pub(crate) log: Option<Rc<AccessLog>>,
    pub(crate) drain: Rc<Drain>,
    pub(crate) hostname: Arc<str>,
    pub(crate) names: Names,
    /// Addresses of the hosts that requests name, for clusters that lead to them.
    pub(crate) hosts: Hosts,
    pub(crate) tls: Arc<TlsStore>,
    random: RefCell<fastrand::Rng>,
    epoch: Instant,
    names_asked: RefCell<BTreeMap<usize, Instant>>,
    plain_managers: RefCell<BTreeMap<Arc<str>, Arc<HttpManager>>>,
}

/// The tables as one worker holds them: requests share its hold without touching the count that workers share.
#[derive(Debug)]
pub(crate) struct Generation {
    tables: Arc<Tables>,
    names: OnceCell<HeaderNames>,
}

impl Generation {
    fn new(tables: Arc<Tables>) -> Self {
        Self { tables, names: OnceCell::new() }
    }

    /// How names of headers are spelled for requests on the outbound port, whose listener is not known before their
    /// heads are read: as the listeners say that say anything. A mesh says it of all.
    pub(crate) fn header_names(&self) -> HeaderNames {
        *self.names.get_or_init(|| {
            let chains = self.tables.listeners().flat_map(|listener| listener.chains());
            let names = chains.filter_map(|chain| match &chain.action {
                ChainAction::Http(manager) => Some(manager.header_names),
                ChainAction::Tcp(_) | ChainAction::Close => None,
            });
            names.into_iter().find(|names| *names != HeaderNames::Lower).unwrap_or_default()
        })
    }
}

impl std::ops::Deref for Generation {
    type Target = Tables;

    fn deref(&self) -> &Tables {
        &self.tables
    }
}

impl Worker {
    fn new(seed: Seed) -> Self {
        let log = seed.log.map(|(format, writer)| AccessLog::new(format, writer));
        Self {
            tables: RefCell::new(Rc::new(Generation::new(seed.tables.load_full()))),
            published: seed.tables,
            pools: Pools::new(Arc::clone(&seed.tls)),
            tls: seed.tls,
            metrics: seed.metrics,
            log,
            drain: Rc::default(),
            hostname: seed.hostname,
            hosts: Hosts::new(seed.names.clone()),
            names: seed.names,
            random: RefCell::new(fastrand::Rng::new()),
            epoch: seed.epoch,
            names_asked: RefCell::default(),
            plain_managers: RefCell::default(),
        }
    }

    /// The tables now. Costs one atomic load; the count of the published tables is not touched by requests.
    pub(crate) fn tables(&self) -> Rc<Generation> {
        let published = self.published.load();
        let mut tables = self.tables.borrow_mut();
        if !Arc::ptr_eq(&published, &tables.tables) {
            *tables = Rc::new(Generation::new(Arc::clone(&published)));
        }
        Rc::clone(&tables)
    }

    /// The manager for plain forwarding to the cluster `name`.
    pub(crate) fn plain_manager(&self, name: &Arc<str>) -> Option<Arc<HttpManager>> {
        let mut managers = self.plain_managers.borrow_mut();
        if let Some(manager) = managers.get(name) {
            return Some(Arc::clone(manager));
        }
        let manager = http::plain_manager(name)?;
        managers.insert(Arc::clone(name), Arc::clone(&manager));
        Some(manager)
    }

    /// Whether a request that finds no endpoint in `cluster` should ask for its names itself: now and then, and only
    /// when there are names.
    pub(crate) fn asks_for_names(&self, cluster: &ClusterTable) -> bool {
        if cluster.dns_targets().is_empty() || !cluster.endpoints().is_empty() {
            return false;
        }
        let now = Instant::now();
        let mut asked = self.names_asked.borrow_mut();
        let key = Arc::as_ptr(&cluster.state) as usize;
        let again = |last: &Instant| now.saturating_duration_since(*last) >= ASK_AGAIN;
        if !asked.get(&key).is_none_or(again) {
            return false;
        }
        asked.retain(|_, last| !again(last));
        asked.insert(key, now);
        true
    }

    /// Tells outlier detection how an attempt at an endpoint of `cluster` went.
    pub(crate) fn tell(
        &self,
        cluster: &ClusterTable,
        endpoint: &EndpointState,
        result: HostResult,
    ) {
        let suspects = cluster.note(endpoint, result);
        if !suspects.is_empty() {
            self.with_env(Moment::now(), |env| cluster.judge(endpoint, suspects, env));
        }
    }

    /// Calls `decide` with time and randomness.
    pub(crate) fn with_env<R>(&self, at: Moment, decide: impl FnOnce(&mut Env<'_>) -> R) -> R {
        let mut random = self.random.borrow_mut();
        let mut draw = || random.u64(..);
        decide(&mut Env {
            now: at.instant.saturating_duration_since(self.epoch),
            unix_time: at.unix,
            rng: &mut draw,
        })
    }
}

/// Starts the thread of one worker.
///
/// # Errors
/// When the system has no thread or no epoll left.
pub(crate) fn start(
    seed: Seed,
    commands: mpsc::UnboundedReceiver<Command>,
) -> io::Result<JoinHandle<()>> {
    let name = format!("worker-{}", seed.index);
    let (started, waiting) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new().name(name).spawn(move || {
        let built = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build_local(LocalOptions::default());
        match built {
            Ok(runtime) => {
                started.send(Ok(())).ok();
                runtime.block_on(run(Rc::new(Worker::new(seed)), commands));
            }
            Err(error) => {
                started.send(Err(error)).ok();
            }
        }
    })?;
    match waiting.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(error)) => Err(error),
        Err(_gone) => Err(io::Error::other("a worker did not start")),
    }
}

async fn run(worker: Rc<Worker>, mut commands: mpsc::UnboundedReceiver<Command>) {
    let mut listening: BTreeMap<Entry, Vec<Task<()>>> = BTreeMap::new();
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    loop {
        let command = tokio::select! {
            command = commands.recv() => command,
            _ = sweep.tick() => {
                worker.pools.sweep(Instant::now());
                continue;
            }
        };
        match command {
            Some(Command::Listen(entry, socket)) => match Listener::from_std(socket) {
                Ok(listener) => {
                    let accepting = accept_loop(Rc::clone(&worker), entry.clone(), listener);
                    listening.entry(entry).or_default().push(tokio::task::spawn_local(accepting));
                }
                Err(error) => tracing::error!(?entry, %error, "a listening socket is unusable"),
            },
            Some(Command::StopListening(entry, done)) => {
                for task in listening.remove(&entry).unwrap_or_default() {
                    task.abort();
                    drop(task.await);
                }
                done.send(()).ok();
            }
            Some(Command::Refresh) => {
                worker.plain_managers.borrow_mut().clear();
                drop(worker.tables());
            }
            Some(Command::Drain(deadline)) => {
                drain(&worker, std::mem::take(&mut listening), deadline).await;
                return;
            }
            None => return,
        }
    }
}

async fn drain(worker: &Worker, listening: BTreeMap<Entry, Vec<Task<()>>>, deadline: Duration) {
    for task in listening.into_values().flatten() {
        task.abort();
        drop(task.await);
    }
    worker.drain.start();
    worker.pools.close_idle();
    if tokio::time::timeout(deadline, worker.drain.empty()).await.is_err() {
        let open = worker.drain.open_connections();
        tracing::warn!(open, "connections are closed: the time to drain is over");
    }
    if let Some(log) = &worker.log {
        log.flush();
    }
}

/// Accepts until the task is aborted; then what has already arrived is accepted before the socket closes, so that no
/// client that was let in is turned away.
async fn accept_loop(worker: Rc<Worker>, entry: Entry, listener: Listener) {
    let port = listener.port();
    let accepting = Accepting { worker, entry, port, listener: Some(listener) };
    loop {
        let Some(listener) = &accepting.listener else { return };
        match listener.accept().await {
            Ok((stream, peer)) => accepting.serve(stream, peer),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(entry = ?accepting.entry, %error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

struct Accepting {
    worker: Rc<Worker>,
    entry: Entry,
    /// Where it listens; nothing for Unix sockets.
    port: Option<u16>,
    listener: Option<Listener>,
}

/// A socket that connections are accepted from.
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    fn from_std(socket: Listening) -> io::Result<Self> {
        Ok(match socket {
            Listening::Tcp(socket) => Self::Tcp(TcpListener::from_std(socket)?),
            Listening::Unix(socket) => Self::Unix(UnixListener::from_std(socket)?),
        })
    }

    fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok().map(|address| address.port()),
            Self::Unix(_) => None,
        }
    }

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match self {
            Self::Tcp(listener) => listener.accept().await,
            Self::Unix(listener) => {
                let (stream, _nameless) = listener.accept().await?;
                Ok((unix::as_tcp(stream)?, unix::NO_ADDRESS))
            }
        }
    }

    /// What has arrived already, until there is nothing more.
    fn drain(self, mut serve: impl FnMut(TcpStream, SocketAddr)) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => {
                let listener = listener.into_std()?;
                while let Ok((stream, peer)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    serve(TcpStream::from_std(stream)?, peer);
                }
            }
            Self::Unix(listener) => {
                let listener = listener.into_std()?;
                while let Ok((stream, _nameless)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    serve(unix::as_tcp(UnixStream::from_std(stream)?)?, unix::NO_ADDRESS);
                }
            }
        }
        Ok(())
    }
}

impl Accepting {
    fn serve(&self, stream: TcpStream, peer: SocketAddr) {
        let (worker, entry) = (Rc::clone(&self.worker), self.entry.clone());
        let serving = connection::serve(worker, entry, (stream, peer), self.port);
        tokio::task::spawn_local(serving);
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        let Some(listener) = self.listener.take() else { return };
        let drained = listener.drain(|stream, peer| self.serve(stream, peer));
        if let Err(error) = drained {
            tracing::debug!(%error, "a connection that had just arrived is lost");
        }
    }
}

/// Errors of one connection that was on its way in, not of the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
