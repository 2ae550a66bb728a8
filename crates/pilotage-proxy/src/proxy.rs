//! Starting a proxy, telling it of new tables, and ending it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use arc_swap::ArcSwap;
use pilotage_engine::filter_chain::{ChainAction, FilterChain};
use pilotage_engine::listener::{ListenAddress, ListenerTable};
use pilotage_engine::{LiveState, Tables};
use tokio::sync::{Notify, mpsc};

use crate::access_log::{Format, FormatError, LogWriter};
use crate::admin::{Admin, AdminState, State};
use crate::config::{InboundPort, ProxyConfig};
use crate::dns::Names;
use crate::health;
use crate::listeners::{
    BindError, BoundListener, Listening, SocketFile, Sockets, bind_group, bind_unix,
};
use crate::metrics::Registry;
use crate::tls::{TlsProblem, TlsStore};
use crate::worker::{self, Command, Entry, Seed};

/// Why a proxy cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// One of the addresses in the configuration cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The access log format has a mistake.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The access log cannot be opened.
    #[error("cannot open the access log: {0}")]
    Log(io::Error),
    /// The system refuses threads or sockets.
    #[error("cannot start a worker: {0}")]
    Worker(#[from] io::Error),
}

/// The data plane.
#[derive(Debug)]
pub struct Proxy;

/// A running proxy. Dropping it ends it at once; [`ProxyHandle::drain`] ends it in order.
#[derive(Debug)]
pub struct ProxyHandle {
    config: ProxyConfig,
    tables: Arc<ArcSwap<Tables>>,
    live: Arc<LiveState>,
    registry: Arc<Registry>,
    state: Arc<State>,
    workers: Vec<Worker>,
    outbound: Option<SocketAddr>,
    listeners: Arc<Mutex<BTreeMap<Entry, BoundListener>>>,
    unix_sockets: Mutex<BTreeMap<Entry, SocketFile>>,
    published: Arc<Notify>,
    names: Names,
    admin: Admin,
    log: Option<Arc<LogWriter>>,
    tls: Arc<TlsStore>,
}

#[derive(Debug)]
struct Worker {
    commands: mpsc::UnboundedSender<Command>,
    thread: JoinHandle<()>,
}

impl Proxy {
    /// Starts workers, the outbound port, the admin endpoints, and the listeners of `tables`. Listeners that cannot
    /// be bound do not keep the proxy from starting: [`ProxyHandle::sync_listeners`] names them, and tries again.
    ///
    /// # Errors
    /// When an address of `config` cannot be listened on, the log not opened, or a thread not started.
    pub fn start(
        config: ProxyConfig,
        tables: Arc<ArcSwap<Tables>>,
        live: Arc<LiveState>,
    ) -> Result<ProxyHandle, StartError> {
        let registry = config.registry.clone().unwrap_or_default();
        let log = match &config.access_log.target {
            Some(target) => {
                let format = Arc::new(Format::new(&config.access_log.format, &config.hostname)?);
                Some((format, Arc::new(LogWriter::start(target).map_err(StartError::Log)?)))
            }
            None => None,
        };
        let state = Arc::new(State::new(Instant::now()));
        let listeners = Arc::default();
        let published = Arc::new(Notify::new());
        let (names, questions) = Names::new();
        let tls = Arc::new(TlsStore::new(Arc::clone(&tables), Sockets::of(&config)));
        let admin = Admin::start(
            &config,
            AdminState {
                registry: Arc::clone(&registry),
                tables: Arc::clone(&tables),
                published: Arc::clone(&published),
                listeners: Arc::clone(&listeners),
                state: Arc::clone(&state),
                tls: Arc::clone(&tls),
                config_dump: config.config_dump.clone(),
                explain: config.explain.clone(),
                set_log_filter: config.set_log_filter.clone(),
            },
            questions,
        )?;
        let mut handle = ProxyHandle {
            workers: Vec::new(),
            outbound: None,
            log: log.as_ref().map(|(_, writer)| Arc::clone(writer)),
            config,
            tables,
            live,
            registry,
            state,
            listeners,
            unix_sockets: Mutex::default(),
            published,
            names,
            admin,
            tls,
        };
        handle.start_workers(log.as_ref())?;
        if let Some(address) = handle.config.outbound_address {
            handle.outbound = Some(handle.listen(&Entry::Outbound, address, false)?);
        }
        handle.sync_listeners();
        handle.state.set_ready();
        Ok(handle)
    }
}

impl ProxyHandle {
    fn start_workers(
        &mut self,
        log: Option<&(Arc<Format>, Arc<LogWriter>)>,
    ) -> Result<(), StartError> {
        let epoch = self.state.started;
        let source = Arc::new(self.config.source.clone());
        for index in 0..self.config.workers.max(1) {
            let (commands, inbox) = mpsc::unbounded_channel();
            let seed = Seed {
                index,
                tables: Arc::clone(&self.tables),
                metrics: self.registry.worker(Arc::clone(&source)),
                log: log.cloned(),
                epoch,
                hostname: self.config.hostname.as_str().into(),
                names: self.names.clone(),
                tls: Arc::clone(&self.tls),
            };
            let thread = worker::start(seed, inbox)?;
            self.workers.push(Worker { commands, thread });
        }
        Ok(())
    }

    fn listen(
        &self,
        entry: &Entry,
        address: SocketAddr,
        transparent: bool,
    ) -> Result<SocketAddr, BindError> {
        let (bound, sockets) = bind_group(address, self.workers.len(), transparent)?;
        for (worker, socket) in self.workers.iter().zip(sockets) {
            // A worker that is gone accepts nothing any more; the socket closes with the command.
            worker.commands.send(Command::Listen(entry.clone(), Listening::Tcp(socket))).ok();
        }
        Ok(bound)
    }

    /// Binds the Unix sockets that `tables` name, and lets go of the others.
    fn sync_unix_sockets(&self, tables: &Tables) -> Vec<BindError> {
        let own = Sockets::of(&self.config);
        let mut sockets = self.unix_sockets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wanted = BTreeMap::new();
        for listener in tables.listeners().filter(|listener| own.has(listener)) {
            if let ListenAddress::Pipe(path) = &listener.address {
                wanted.insert(Entry::Listener(Arc::clone(&listener.name)), path);
            }
        }
        let is_wanted = |entry: &Entry, file: &SocketFile| wanted.get(entry) == Some(&&file.0);
        let gone = sockets.extract_if(.., |entry, file| !is_wanted(entry, file));
        for (entry, _file) in gone {
            self.stop_listening(&entry);
        }
        let mut failed = Vec::new();
        for (entry, path) in wanted {
            if sockets.contains_key(&entry) {
                continue;
            }
            match bind_unix(path, self.workers.len()) {
                Ok((file, group)) => {
                    for (worker, socket) in self.workers.iter().zip(group) {
                        let command = Command::Listen(entry.clone(), Listening::Unix(socket));
                        // As above.
                        worker.commands.send(command).ok();
                    }
                    sockets.insert(entry, file);
                }
                Err(error) => failed.push(error),
            }
        }
        failed
    }

    fn stop_listening(&self, entry: &Entry) {
        let mut closed = Vec::new();
        for worker in &self.workers {
            let (done, waiting) = std::sync::mpsc::channel();
            if worker.commands.send(Command::StopListening(entry.clone(), done)).is_ok() {
                closed.push(waiting);
            }
        }
        for waiting in closed {
            // An error says that the worker is gone, and its socket with it.
            waiting.recv().ok();
        }
    }

    /// Binds the ports that the tables name and lets go of those they no longer name; connections that are open stay
    /// open. To be called after tables were published. Blocks for as long as workers need to close sockets.
    ///
    /// # Errors
    /// Returns what could not be bound; the next call tries again.
    pub fn sync_listeners(&self) -> Vec<BindError> {
        let tables = self.tables.load_full();
        let own = Sockets::of(&self.config);
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wanted = BTreeMap::new();
        let mut failed = self.sync_unix_sockets(&tables);
        for listener in tables.listeners().filter(|listener| own.has(listener)) {
            let ListenAddress::Socket(address) = listener.address else { continue };
            wanted.insert(Entry::Listener(Arc::clone(&listener.name)), (address, listener));
        }
        let gone: BTreeSet<Entry> = listeners
            .iter()
            .filter(|(entry, bound)| {
                wanted.get(*entry).is_none_or(|(address, ..)| *address != bound.wanted)
            })
            .map(|(entry, _)| entry.clone())
            .collect();
        for entry in &gone {
            self.stop_listening(entry);
            listeners.remove(entry);
        }
        for (entry, (address, listener)) in wanted {
            let Entry::Listener(name) = &entry else { continue };
            if let Some(bound) = listeners.get_mut(&entry) {
                bound.scheme = scheme(listener);
                continue;
            }
            match self.listen(&entry, self.place(listener, address), listener.transparent) {
                Ok(bound) => {
                    let bound = BoundListener {
                        name: Arc::clone(name),
                        wanted: address,
                        bound,
                        scheme: scheme(listener),
                        takes_redirected: listener.takes_redirected_inbound(),
                    };
                    listeners.insert(entry, bound);
                }
                Err(error) => failed.push(error),
            }
        }
        for worker in &self.workers {
            worker.commands.send(Command::Refresh).ok();
        }
        // New endpoints begin to warm up, and whom nothing keeps out any more comes back.
        health::look_after(&tables, self.state.started);
        self.published.notify_one();
        self.live.forget_unused();
        failed
    }

    /// Where the listener that wants `address` is bound.
    fn place(&self, listener: &ListenerTable, address: SocketAddr) -> SocketAddr {
        match self.config.inbound {
            InboundPort::At(port) if listener.takes_redirected_inbound() => {
                SocketAddr::new(address.ip(), port)
            }
            _ => (self.config.bind)(address),
        }
    }

    /// Makes what TLS needs of certificates and keys, and says what is wrong with them now that was not before. To be
    /// called after tables were published; connections do not wait for it.
    pub fn check_tls(&self) -> Vec<TlsProblem> {
        self.tls.check()
    }

    /// Where the outbound port is.
    pub fn outbound_address(&self) -> Option<SocketAddr> {
        self.outbound
    }

    /// Where the admin endpoint is.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.admin_address
    }

    /// Where metrics are.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.admin.metrics_address
    }

    /// Where readiness is asked.
    pub fn ready_address(&self) -> Option<SocketAddr> {
        self.admin.ready_address
    }

    /// The listeners that are bound.
    pub fn listeners(&self) -> Vec<BoundListener> {
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.values().cloned().collect()
    }

    /// The metrics, in the Prometheus text format.
    pub fn metrics(&self) -> String {
        self.registry.prometheus(&self.tables.load(), self.state.started.elapsed())
    }

    /// Lines that the access log lost.
    pub fn dropped_log_lines(&self) -> u64 {
        self.log.as_ref().map_or(0, |log| log.dropped())
    }

    /// Ends the proxy in order: no new connections, `connection: close` and GOAWAY on the open ones, and after the
    /// deadline of the configuration whatever is left is closed. Returns when every worker has ended.
    pub fn drain(mut self) {
        self.state.set_draining();
        for worker in &self.workers {
            worker.commands.send(Command::Drain(self.config.drain_deadline)).ok();
        }
        for worker in self.workers.drain(..) {
            if worker.thread.join().is_err() {
                tracing::error!("a worker panicked");
            }
        }
        if let Some(log) = &self.log {
            log.finish();
        }
    }
}

/// What the listener takes, as a URL says it.
fn scheme(listener: &ListenerTable) -> &'static str {
    let any = |of: &dyn Fn(&FilterChain) -> bool| listener.chains().any(|chain| of(chain));
    if listener.takes_redirected_inbound() {
        // Whatever clients say to the workload.
        return "tcp";
    }
    let is_http = |chain: &FilterChain| matches!(chain.action, ChainAction::Http(_));
    if any(&|chain| is_http(chain) && chain.tls.is_none()) {
        "http"
    } else if any(&is_http) {
        "https"
    } else if any(&|chain| chain.tls.is_some()) || listener.inspection.tls.is_some() {
        "tls"
    } else {
        "tcp"
    }
}
