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
use pilotage_engine::headers::Headers;
use pilotage_engine::live_state::ActiveRequest;
use pilotage_engine::load_balancing::PickContext;
use pilotage_engine::mirrors::Mirror;
use tokio::sync::Notify;
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

/// Sends the copies that the decision asks for. Nobody waits for them; those that get lost are counted.
pub(super) fn send(context: &Context<'_>, forward: &Forward, body: Option<&Rc<Source>>) {
    let Some(action) = forward.action() else { return };
    for mirror in forward.mirrors.iter().filter_map(|index| action.mirrors.get(*index)) {
        let worker = &context.client.worker;
        let Some(cluster) = worker.tables().cluster(&mirror.cluster).map(Arc::clone) else {
            tracing::debug!(cluster = &*mirror.cluster, "a copy is lost: no such cluster");
            continue;
        };
        let stats = worker.metrics.cluster(&cluster.settings.name);
        if begin(context, forward, mirror, cluster, &stats, body).is_none() {
            stats.mirror_drops.add(1);
        }
    }
}

/// Begins to send one copy; `None` when it cannot be sent.
fn begin(
    context: &Context<'_>,
    forward: &Forward,
    mirror: &Mirror,
    cluster: Arc<ClusterTable>,
    stats: &Arc<ClusterStats>,
    body: Option<&Rc<Source>>,
) -> Option<()> {
    let worker = &context.client.worker;
    let pick = PickContext { hash: forward.hash, ..PickContext::default() };
    let picked = worker.with_env(Moment::now(), |env| cluster.pick(&pick, env));
    let endpoint = picked.inspect_err(|_| stats.none_healthy.add(1)).ok()?;
    let mut outgoing = context.outgoing(forward, &endpoint, 1)?;
    let host = mirror.host(outgoing.authority.to_str().unwrap_or_default());
    outgoing.authority = HeaderValue::try_from(host).ok()?;
    mark(&mut outgoing.headers);
    outgoing.interim = None;
    let http2 = cluster.settings.protocol.version(context.head.version) == Version::HTTP_2;
    let (copied, queue) = match body {
        Some(source) => {
            let copy = source.copy();
            let queue = Rc::clone(&copy.queue);
            (RequestBody::Copy(copy), queue)
        }
        None => (RequestBody::Empty, Rc::default()),
    };
    let limit = forward.timeouts.global.unwrap_or(LONGEST);
    let authority = outgoing.authority.to_str().unwrap_or_default();
    let client = context.client_addresses();
    let pool =
        worker.pools.get(&cluster, &endpoint, http2, authority, client, || Arc::clone(stats));
    let counted = Arc::clone(stats);
    let sending = deliver(pool, Arc::clone(stats), cluster, endpoint, http2, outgoing, copied);
    tokio::task::spawn_local(async move {
        let answered = tokio::select! {
            sent = tokio::time::timeout(limit, sending) => matches!(sent, Ok(true)),
            () = queue.overflowed.notified() => false,
        };
        if !answered {
            tracing::debug!(cluster = &*counted.name, "a copy is lost");
            counted.mirror_drops.add(1);
        }
    });
    Some(())
}

/// A copy comes from the proxy itself, and says so as Envoy's copies do.
fn mark(headers: &mut Headers) {
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

/// Sends one copy and reads its answer; whether there was one.
async fn deliver(
    pool: Rc<EndpointPool>,
    stats: Arc<ClusterStats>,
    cluster: Arc<ClusterTable>,
    endpoint: Arc<Endpoint>,
    http2: bool,
    head: Outgoing,
    body: RequestBody,
) -> bool {
    let Ok(mut lease) = pool.lease(&cluster.settings, &endpoint, http2).await else {
        return false;
    };
    let active = ActiveRequest::begin(&cluster.state, &endpoint.state);
    stats.requests.total.add(1);
    lease.begin(head, body);
    match poll_fn(|cx| lease.poll_head(cx)).await {
        Ok(answer) => {
            stats.answered(answer.status.as_u16());
            active.ended(Some(answer.status));
            while let Some(Ok(_ignored)) = poll_fn(|cx| lease.poll_frame(cx)).await {}
            if lease.is_end_stream() {
                lease.finish(Instant::now());
            }
            true
        }
        Err(error) => {
            active.ended(None);
            tracing::debug!(cluster = cluster.name(), failure = %error.failure, "no answer");
            false
        }
    }
}

/// What waits to be sent with a copy.
#[derive(Debug, Default)]
struct Queue {
    bytes: Cell<usize>,
    /// Told when the mirror was too slow: the copy is lost.
    overflowed: Notify,
}

/// The receiving end of a copied body.
#[derive(Debug)]
pub(crate) struct CopyBody {
    parts: UnboundedReceiver<Part>,
    queue: Rc<Queue>,
}

/// The sending end.
#[derive(Debug)]
pub(super) struct CopySender {
    parts: UnboundedSender<Part>,
    queue: Rc<Queue>,
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
    let queue = Rc::<Queue>::default();
    (CopySender { parts: sender, queue: Rc::clone(&queue) }, CopyBody { parts, queue })
}

impl CopySender {
    /// Passes a frame on; false when the copy is lost.
    pub(super) fn push(&self, frame: &Frame<Bytes>) -> bool {
        let Some(data) = frame.data_ref() else {
            let trailers = frame.trailers_ref().cloned().unwrap_or_default();
            return self.parts.send(Part::Trailers(trailers)).is_ok();
        };
        let waiting = self.queue.bytes.get() + data.len();
        if waiting > QUEUE_BYTES {
            self.queue.overflowed.notify_one();
            return false;
        }
        self.queue.bytes.set(waiting);
        self.parts.send(Part::Data(data.clone())).is_ok()
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
                let waiting = self.queue.bytes.get();
                self.queue.bytes.set(waiting.saturating_sub(data.len()));
                Some(Ok(Frame::data(data)))
            }
            Some(Part::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Part::End) => None,
            None => Some(Err(BodyError::GivenUp)),
        })
    }
}
