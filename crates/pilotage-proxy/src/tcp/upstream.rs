//! The upstream side of a connection: cluster, circuit breaker, endpoint, and as many tries as the route allows.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::Version;
use pilotage_engine::cluster::{ClusterTable, Discovery};
use pilotage_engine::endpoint::Endpoint;
use pilotage_engine::live_state::{ActiveRequest, ClusterState, EndpointState};
use pilotage_engine::load_balancing::PickContext;
use pilotage_engine::outlier_detection::HostResult;
use pilotage_engine::response_flag::ResponseFlags;
use pilotage_engine::tcp_route::TcpRoute;

use super::tail::Tail;
use super::{Duplex, tunnel};
use crate::connection::Arrival;
use crate::failure::Failure;
use crate::http::Moment;
use crate::metrics::ClusterStats;
use crate::pool::{self, ClientAddresses, Security};
use crate::transport::Transport;
use crate::worker::Worker;

/// An open connection to an endpoint.
pub(super) struct Upstream {
    pub(super) stream: Box<dyn Duplex>,
    active: ActiveRequest,
    _counted: Counted,
}

impl Upstream {
    /// The connection served its purpose.
    pub(super) fn ended(self) {
        self.active.ended(Some(http::StatusCode::OK));
    }
}

/// Opens a connection to an endpoint of the cluster that `route` leads to. `None`: there is none, and `tail` knows why.
pub(super) async fn open(
    worker: &Rc<Worker>,
    route: &TcpRoute,
    tail: &mut Tail,
) -> Option<Upstream> {
    let tables = worker.tables();
    let server_name = tail.arrival.findings.server_name.as_deref();
    let name = worker.with_env(Moment::now(), |env| route.cluster(server_name, env));
    let Some(cluster) = tables.cluster(&name).map(Arc::clone) else {
        tail.flags.insert(ResponseFlags::NO_CLUSTER);
        return None;
    };
    tail.routed(&cluster);
    // What comes now may take time; the tables may change meanwhile.
    drop(tables);
    let stats = worker.metrics.cluster(&name);
    while tail.attempts < route.max_connect_attempts {
        match attempt(worker, route, &cluster, &stats, tail).await {
            Ok(upstream) => return Some(upstream),
            Err(failure) => {
                tail.flags.insert(failure.flag());
                tail.transport_failure = failure.transport_reason();
                if !matches!(failure, Failure::Connect { .. } | Failure::ConnectTimeout) {
                    return None;
                }
            }
        }
    }
    tail.flags.insert(ResponseFlags::RETRY_LIMIT_EXCEEDED);
    None
}

async fn attempt(
    worker: &Rc<Worker>,
    route: &TcpRoute,
    cluster: &Arc<ClusterTable>,
    stats: &Arc<ClusterStats>,
    tail: &mut Tail,
) -> Result<Upstream, Failure> {
    let limit = cluster.settings.circuit_breakers.max_connections;
    if !cluster.state.connections.try_increase(limit) {
        cluster.state.overflow_total.increase();
        stats.overflows.add(1);
        return Err(Failure::Overflow);
    }
    let mut counted = Counted { cluster: Arc::clone(&cluster.state), opened: None };
    let endpoint = pick(worker, route, cluster, tail).await.inspect_err(|_none| {
        stats.none_healthy.add(1);
    })?;
    tail.attempts += 1;
    tail.upstream_host = Some(endpoint.address.clone());
    counted.open(&endpoint.state, stats);
    let Arrival { source, destination, source_mark, .. } = tail.arrival;
    let client = ClientAddresses { source, destination, source_mark };
    let speaks_http2 = cluster.settings.protocol.version(Version::HTTP_11) == Version::HTTP_2;
    let http2 = route.tunneling.as_ref().map(|_tunneling| speaks_http2);
    let security = Security { store: Arc::clone(&worker.tls), host: None, http2, client };
    let connected = pool::connect(&cluster.settings, &endpoint, &security).await;
    let connection = connected.inspect_err(|failure| {
        endpoint.state.connect_failures_total.increase();
        stats.connect_failures.add(1);
        if *failure == Failure::ConnectTimeout {
            stats.connect_timeouts.add(1);
        }
        worker.tell(cluster, &endpoint.state, HostResult::Failed);
    })?;
    // A connection is all that outlier detection hears of bytes.
    let good = HostResult::Answered { status: 200, grpc_status: None };
    worker.tell(cluster, &endpoint.state, good);
    tail.upstream = Transport::of(&connection);
    let stream: Box<dyn Duplex> = match &route.tunneling {
        None => Box::new(connection),
        Some(tunneling) => tunnel::open(connection, tunneling, speaks_http2).await?,
    };
    stats.requests.total.add(1);
    Ok(Upstream {
        stream,
        active: ActiveRequest::begin(&cluster.state, &endpoint.state),
        _counted: counted,
    })
}

async fn pick(
    worker: &Worker,
    route: &TcpRoute,
    cluster: &Arc<ClusterTable>,
    tail: &Tail,
) -> Result<Arc<Endpoint>, Failure> {
    let known = |address: SocketAddr| (!address.ip().is_unspecified()).then_some(address);
    let destination = match cluster.settings.discovery {
        Discovery::DynamicForwardProxy => Some(named(worker, route, cluster, tail).await?),
        _ => known(tail.arrival.destination),
    };
    let context = PickContext {
        original_destination: destination,
        hash: route.hash(tail.arrival.source),
        ..PickContext::default()
    };
    let mut picked = worker.with_env(Moment::now(), |env| cluster.pick(&context, env));
    if picked.is_err() && worker.asks_for_names(cluster) {
        worker.names.settle(cluster).await;
        picked = worker.with_env(Moment::now(), |env| cluster.pick(&context, env));
    }
    picked.map_err(|_none| Failure::NoHealthyUpstream)
}

/// Where the server that the client asks for in TLS is.
async fn named(
    worker: &Worker,
    route: &TcpRoute,
    cluster: &ClusterTable,
    tail: &Tail,
) -> Result<SocketAddr, Failure> {
    let server_name = &tail.arrival.findings.server_name;
    let (Some(port), Some(host)) = (route.server_name.server_port, server_name) else {
        return Err(Failure::NoHealthyUpstream);
    };
    let address = worker.hosts.address(host, &cluster.settings.dns).await?;
    Ok(SocketAddr::new(address, port))
}

/// One connection in the counters, until it is dropped.
struct Counted {
    /// Whose circuit breaker has counted the connection.
    cluster: Arc<ClusterState>,
    opened: Option<(Arc<EndpointState>, Arc<ClusterStats>)>,
}

impl Counted {
    fn open(&mut self, endpoint: &Arc<EndpointState>, stats: &Arc<ClusterStats>) {
        endpoint.connections.increase();
        stats.active_connections.add(1);
        stats.connections.add(1);
        self.opened = Some((Arc::clone(endpoint), Arc::clone(stats)));
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.cluster.connections.decrease();
        if let Some((endpoint, stats)) = &self.opened {
            endpoint.connections.decrease();
            stats.active_connections.sub(1);
        }
    }
}
