//! Copies of requests: sent beside the request itself, their answers read and thrown away.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use http_body::Frame;
use pilotage_engine::cluster::ClusterTable;
use pilotage_engine::endpoint::Endpoint;
use pilotage_engine::forward::Forward;
use pilotage_engine::live_state::ActiveRequest;
use pilotage_engine::load_balancing::PickContext;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::body::{BodyError, RequestBody};
use super::exchange::Context;
use super::head::Outgoing;
use super::moment::Moment;
use super::replay::Source;
use crate::metrics::ClusterStats;
use crate::pool::EndpointPool;

/// What may wait to be sent with one copy. A mirror that is slower than that loses the copy: it must not slow down
/// the request.
const QUEUE_BYTES: usize = 1024 * 1024;
const INTERNAL: HeaderName = HeaderName::from_static("x-envoy-internal");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Limit of a copy whose route has none.
const LONGEST: Duration = Duration::from_secs(300);

/// Sends the copies that the decision asks for.
pub(super) fn send(context: &Context<'_>, forward: &Forward, body: Option<&Rc<Source>>) {
    let Some(action) = forward.action() else { return };
    for mirror in forward.mirrors.iter().filter_map(|index| action.mirrors.get(*index)) {
        let worker = &context.client.worker;
        let Some(cluster) = worker.tables().cluster(&mirror.cluster).map(Arc::clone) else {
            continue;
        };
        let pick = PickContext { hash: forward.hash, ..PickContext::default() };
        let picked = worker.with_env(Moment::now(), |env| cluster.pick(&pick, env));
        let Ok(endpoint) = picked else { continue };
        let Some(mut outgoing) = context.outgoing(forward, &endpoint, 1) else { continue };
        let host = mirror.host(outgoing.authority.to_str().unwrap_or_default());
        let Ok(host) = HeaderValue::try_from(host) else { continue };
        outgoing.authority = host;
        mark(&mut outgoing.headers);
        outgoing.interim = None;
        let http2 = cluster.settings.protocol.version(context.head.version) == Version::HTTP_2;
        let copied = match body {
            Some(source) => RequestBody::Copy(source.copy()),
            None => RequestBody::Empty,
        };
        let limit = forward.timeouts.global.unwrap_or(LONGEST);
        let stats = worker.metrics.cluster(&cluster.settings.name);
        let authority = outgoing.authority.to_str().unwrap_or_default();
        let client = context.client_addresses();
        let pool =
            worker.pools.get(&cluster, &endpoint, http2, authority, client, || Arc::clone(&stats));
        let sending = deliver(pool, stats, cluster, endpoint, http2, outgoing, copied);
        tokio::task::spawn_local(async move {
            if tokio::time::timeout(limit, sending).await.is_err() {
                tracing::debug!("a mirrored request took too long");
            }
        });
    }
}

/// A copy comes from the proxy itself, and says so as Envoy's copies do.
fn mark(headers: &mut HeaderMap) {
    headers.insert(INTERNAL, HeaderValue::from_static("true"));
    let own = own_address();
    let chain = match headers.get(FORWARDED_FOR).and_then(|chain| chain.to_str().ok()) {
        Some(chain) => format!("{chain},{own}"),
        None => own.to_string(),
    };
    if let Ok(chain) = HeaderValue::try_from(chain) {
        headers.insert(FORWARDED_FOR, chain);
    }
}

/// The address of this machine by which it would go elsewhere; loopback when it cannot.
fn own_address() -> IpAddr {
    static OWN: OnceLock<IpAddr> = OnceLock::new();
    *OWN.get_or_init(|| {
        // No packet is sent: connecting only asks the routing table. The address is one reserved for documentation.
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0));
        let asked = socket.and_then(|socket| {
            socket.connect((Ipv4Addr::new(203, 0, 113, 1), 9))?;
            socket.local_addr()
        });
        asked.map_or(IpAddr::from(Ipv4Addr::LOCALHOST), |address| address.ip())
    })
}

async fn deliver(
    pool: Rc<EndpointPool>,
    stats: Arc<ClusterStats>,
    cluster: Arc<ClusterTable>,
    endpoint: Arc<Endpoint>,
    http2: bool,
    head: Outgoing,
    body: RequestBody,
) {
    let Ok(mut lease) = pool.lease(&cluster.settings, &endpoint, http2).await else { return };
    let active = ActiveRequest::begin(&cluster.state, &endpoint.state);
    stats.requests.add(1);
    match lease.send(head, body).await {
        Ok(response) => {
            stats.answered(response.status().as_u16());
            active.ended(Some(response.status()));
            while let Some(Ok(_ignored)) = poll_fn(|cx| lease.poll_frame(cx)).await {}
            if lease.is_end_stream() {
                lease.finish(Instant::now());
            }
        }
        Err(error) => {
            active.ended(None);
            tracing::debug!(cluster = cluster.name(), failure = %error.failure, "a copy is lost");
        }
    }
}

/// The receiving end of a copied body.
#[derive(Debug)]
pub(crate) struct CopyBody {
    parts: UnboundedReceiver<Part>,
    queued: Rc<Cell<usize>>,
}

/// The sending end.
#[derive(Debug)]
pub(super) struct CopySender {
    parts: UnboundedSender<Part>,
    queued: Rc<Cell<usize>>,
}

#[derive(Debug)]
enum Part {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
}

/// A body that is filled while the original is read.
pub(super) fn copy() -> (CopySender, CopyBody) {
    let (sender, parts) = unbounded_channel();
    let queued = Rc::<Cell<usize>>::default();
    (CopySender { parts: sender, queued: Rc::clone(&queued) }, CopyBody { parts, queued })
}

impl CopySender {
    /// Passes a frame on; false when the copy is lost.
    pub(super) fn push(&self, frame: &Frame<Bytes>) -> bool {
        if let Some(data) = frame.data_ref() {
            self.queued.set(self.queued.get() + data.len());
            return self.queued.get() <= QUEUE_BYTES
                && self.parts.send(Part::Data(data.clone())).is_ok();
        }
        let trailers = frame.trailers_ref().cloned().unwrap_or_default();
        self.parts.send(Part::Trailers(trailers)).is_ok()
    }

    /// The original ended. Dropped without this, the copy is broken off.
    pub(super) fn end(self) {
        self.parts.send(Part::End).ok();
    }
}

impl CopyBody {
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.parts.poll_recv(cx).map(|part| match part {
            Some(Part::Data(data)) => {
                self.queued.set(self.queued.get().saturating_sub(data.len()));
                Some(Ok(Frame::data(data)))
            }
            Some(Part::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Part::End) => None,
            None => Some(Err(BodyError::GivenUp)),
        })
    }
}
