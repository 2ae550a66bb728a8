//! Upstream connections of one worker: one pool per cluster, endpoint and HTTP version.
//!
//! Pools are keyed by live state, not by tables, so a change of configuration closes nothing.

mod connect;
mod http1;
mod http2;
mod lease;
mod race;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pilotage_engine::cluster::{ClusterSettings, ClusterTable};
use pilotage_engine::endpoint::{Endpoint, EndpointAddress};
use pilotage_engine::live_state::{ClusterState, EndpointState};
use tokio::sync::{Notify, oneshot};

use crate::failure::Failure;
use crate::metrics::ClusterStats;
use crate::tls::{TlsStore, host_of};

use self::connect::Clients;
pub(crate) use connect::{ClientAddresses, Security, connect};
pub(crate) use lease::{Lease, SendError};

/// All pools of one worker.
#[derive(Debug)]
pub(crate) struct Pools {
    tls: Arc<TlsStore>,
    by_key: RefCell<HashMap<Key, Rc<EndpointPool>, foldhash::fast::RandomState>>,
}

/// What connections have to have in common to be in one pool.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    /// The cluster's state by address: it outlives every table.
    cluster: usize,
    endpoint: EndpointAddress,
    http2: bool,
    /// The fingerprint of the TLS context; 0 without TLS.
    tls: u64,
    /// The host that connections ask for, where it is that of the request.
    host: Option<Box<str>>,
    clients: Clients,
}

/// The connections to one endpoint of one cluster.
#[derive(Debug)]
pub(crate) struct EndpointPool {
    cluster: Arc<ClusterState>,
    endpoint: Arc<EndpointState>,
    stats: Arc<ClusterStats>,
    pub(super) security: Security,
    /// How long a connection may be idle, as the cluster last said.
    idle_timeout: Cell<Duration>,
    /// Connections that exist, idle or not.
    open: Cell<u32>,
    /// HTTP/1 connections without a request; the one used last is on top.
    #[expect(clippy::vec_box, reason = "it stays in the box while a request has it")]
    idle: RefCell<Vec<Box<http1::Connection>>>,
    /// Requests waiting for an HTTP/1 connection because no more may be opened.
    waiting: RefCell<VecDeque<oneshot::Sender<Option<Box<http1::Connection>>>>>,
    /// HTTP/2 connections that take further streams.
    shared: RefCell<Vec<http2::Connection>>,
    /// Whether an HTTP/2 connection is being made, and who waits for it.
    dialing: Cell<bool>,
    dialed: Notify,
    /// How the last HTTP/2 dial ended, and its number.
    dial_result: RefCell<(u64, Option<Failure>)>,
}

impl Pools {
    /// No connections yet; those with TLS will be as `tls` says.
    pub(crate) fn new(tls: Arc<TlsStore>) -> Self {
        Self { tls, by_key: RefCell::default() }
    }

    /// The pool for requests of `client` to `authority` at `endpoint` of `cluster`; `stats` is asked for when it is new.
    pub(crate) fn get(
        &self,
        cluster: &ClusterTable,
        endpoint: &Endpoint,
        http2: bool,
        authority: &str,
        client: ClientAddresses,
        stats: impl FnOnce() -> Arc<ClusterStats>,
    ) -> Rc<EndpointPool> {
        let tls = endpoint.tls.as_ref();
        let takes_host = tls.is_some() && cluster.settings.server_name.of_request;
        let key = Key {
            // The pool holds the state, so its address is not used again while the pool lives.
            cluster: Arc::as_ptr(&cluster.state) as usize,
            endpoint: endpoint.address.clone(),
            http2,
            tls: tls.map_or(0, |tls| tls.fingerprint),
            host: takes_host.then(|| host_of(authority).into()),
            clients: Clients::like(client, &cluster.settings),
        };
        let security = || Security {
            store: Arc::clone(&self.tls),
            host: key.host.clone(),
            http2: Some(http2),
            client,
        };
        let mut by_key = self.by_key.borrow_mut();
        if let Some(pool) = by_key.get(&key) {
            return Rc::clone(pool);
        }
        let security = security();
        Rc::clone(by_key.entry(key).or_insert_with(|| {
            Rc::new(EndpointPool {
                security,
                cluster: Arc::clone(&cluster.state),
                endpoint: Arc::clone(&endpoint.state),
                stats: stats(),
                idle_timeout: Cell::new(Duration::MAX),
                open: Cell::new(0),
                idle: RefCell::default(),
                waiting: RefCell::default(),
                shared: RefCell::default(),
                dialing: Cell::new(false),
                dialed: Notify::new(),
                dial_result: RefCell::default(),
            })
        }))
    }

    /// Closes connections that were idle for too long, and forgets pools without any. Called now and then instead of
    /// a timer per connection.
    pub(crate) fn sweep(&self, now: Instant) {
        self.by_key.borrow_mut().retain(|_, pool| {
            let idle_timeout = pool.idle_timeout.get();
            pool.idle.borrow_mut().retain_mut(|connection| connection.keep(now, idle_timeout));
            pool.shared.borrow_mut().retain_mut(|connection| connection.keep(now, idle_timeout));
            pool.open.get() > 0 || Rc::strong_count(pool) > 1
        });
    }

    /// Closes every connection without a request.
    pub(crate) fn close_idle(&self) {
        #[expect(clippy::iter_over_hash_type, reason = "every pool is treated alike")]
        for pool in self.by_key.borrow().values() {
            pool.idle.borrow_mut().clear();
            pool.shared.borrow_mut().clear();
        }
    }
}

impl EndpointPool {
    /// A connection that is there already.
    ///
    /// # Errors
    /// When a circuit breaker refuses the request.
    pub(crate) fn ready(
        self: &Rc<Self>,
        settings: &ClusterSettings,
        http2: bool,
    ) -> Result<Option<Lease>, Failure> {
        if !settings.circuit_breakers.admit_request(&self.cluster) {
            return Err(self.overflow());
        }
        self.idle_timeout.set(settings.idle_timeout.unwrap_or(Duration::MAX));
        if http2 {
            return Ok(self.shared_http2(settings).as_ref().map(Lease::http2));
        }
        let idle = self.idle_http1(settings);
        Ok(idle.map(|connection| Lease::http1(self, connection, true)))
    }

    /// A connection for one request, made if need be.
    ///
    /// # Errors
    /// When a circuit breaker refuses, or the endpoint cannot be connected to.
    pub(crate) async fn lease(
        self: &Rc<Self>,
        settings: &ClusterSettings,
        endpoint: &Endpoint,
        http2: bool,
    ) -> Result<Lease, Failure> {
        if let Some(lease) = self.ready(settings, http2)? {
            return Ok(lease);
        }
        if http2 {
            self.lease_new_http2(settings, endpoint).await
        } else {
            self.lease_new_http1(settings, endpoint).await
        }
    }

    fn overflow(&self) -> Failure {
        self.cluster.overflow_total.increase();
        self.stats.overflows.add(1);
        Failure::Overflow
    }

    /// Counts a connection that is about to be made, if the circuit breaker allows it. A pool without any connection
    /// may always make one: nothing else would ever serve the requests waiting here.
    fn count_connection(self: &Rc<Self>, settings: &ClusterSettings) -> Option<Counted> {
        if !self.cluster.connections.try_increase(settings.circuit_breakers.max_connections) {
            if self.open.get() > 0 {
                return None;
            }
            self.cluster.connections.increase();
        }
        self.endpoint.connections.increase();
        self.open.set(self.open.get() + 1);
        self.stats.active_connections.add(1);
        self.stats.connections.add(1);
        Some(Counted(Rc::clone(self)))
    }

    /// A place among the requests waiting for a connection, if the circuit breaker allows it.
    fn count_pending(&self, settings: &ClusterSettings) -> Result<Pending<'_>, Failure> {
        let limit = settings.circuit_breakers.max_pending_requests;
        // A limit of zero would refuse every request that finds no idle connection; Envoy does exactly that.
        if !self.cluster.pending_requests.try_increase(limit) {
            return Err(self.overflow());
        }
        Ok(Pending(self))
    }

    fn note_connect_failure(&self, failure: &Failure) {
        self.endpoint.connect_failures_total.increase();
        self.stats.connect_failures.add(1);
        if *failure == Failure::ConnectTimeout {
            self.stats.connect_timeouts.add(1);
        }
    }
}

/// One connection in the counters, until it is dropped.
#[derive(Debug)]
struct Counted(Rc<EndpointPool>);

impl Drop for Counted {
    fn drop(&mut self) {
        let pool = &self.0;
        pool.cluster.connections.decrease();
        pool.endpoint.connections.decrease();
        pool.open.set(pool.open.get().saturating_sub(1));
        pool.stats.active_connections.sub(1);
        // Somebody who waits may now open a connection of its own.
        while let Some(waiter) = pool.waiting.borrow_mut().pop_front() {
            if waiter.send(None).is_ok() {
                break;
            }
        }
    }
}

/// One request waiting for a connection, until it is dropped.
struct Pending<'p>(&'p EndpointPool);

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.0.cluster.pending_requests.decrease();
    }
}
