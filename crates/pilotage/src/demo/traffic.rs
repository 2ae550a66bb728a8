//! Steady requests to the demo's services, through the mesh.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HOST;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::bookinfo::WORKLOADS;
use super::echo::VERSION;
use super::meter::{Meter, Outcome};

/// A request that takes longer counts as failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two attempts to connect.
const RECONNECT: Duration = Duration::from_millis(200);

/// Requests of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    /// The service meant, for the figures.
    pub(crate) service: &'static str,
    /// What is asked for: a whole URI towards an HTTP proxy, a path towards a gateway.
    pub(crate) uri: &'static str,
    /// The `Host` header.
    pub(crate) host: &'static str,
    /// Where to connect to.
    pub(crate) via: SocketAddr,
    /// Requests each second; nothing means as many as possible.
    pub(crate) rate: Option<u32>,
    /// The number of connections.
    pub(crate) connections: u32,
}

/// Figures that all flows write to.
pub(crate) type SharedMeter = Arc<Mutex<Meter>>;

/// Starts a flow on the current runtime. It ends with the runtime.
pub(crate) fn start(flow: &Flow, meter: &SharedMeter) {
    for _ in 0..flow.connections {
        tokio::spawn(connection(flow.clone(), Arc::clone(meter)));
    }
}

async fn connection(flow: Flow, meter: SharedMeter) {
    let pause = flow.rate.map(|rate| Duration::from_secs(1) * flow.connections / rate.max(1));
    // An interval of nothing is refused by the timer: the shortest one stands for it, and is not waited for.
    let mut ticks = interval(pause.unwrap_or(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sender = None;
    loop {
        if pause.is_some() {
            ticks.tick().await;
        }
        let began = Instant::now();
        let answer = match sender.take() {
            Some(sender) => exchange(&flow, sender).await,
            None => match connect(flow.via).await {
                Some(fresh) => exchange(&flow, fresh).await,
                None => None,
            },
        };
        let latency = began.elapsed();
        let outcome = match answer {
            Some((response, still_open)) => {
                sender = still_open;
                Outcome {
                    version: version(&response),
                    ok: response.status().as_u16() < 500,
                    latency,
                }
            }
            None => {
                sleep(RECONNECT).await;
                Outcome { version: None, ok: false, latency }
            }
        };
        let now = Instant::now();
        meter.lock().unwrap_or_else(PoisonError::into_inner).record(now, flow.service, outcome);
    }
}

async fn connect(via: SocketAddr) -> Option<SendRequest<Empty<Bytes>>> {
    let stream = TcpStream::connect(via).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection of the demo's traffic ended");
        }
    });
    Some(sender)
}

/// One request and its whole answer, and the connection if it can take another one.
async fn exchange(
    flow: &Flow,
    mut sender: SendRequest<Empty<Bytes>>,
) -> Option<(Response<()>, Option<SendRequest<Empty<Bytes>>>)> {
    let request = Request::get(flow.uri).header(HOST, flow.host).body(Empty::new()).ok()?;
    let answer = async {
        let (head, body) = sender.send_request(request).await.ok()?.into_parts();
        body.collect().await.ok()?;
        Some(Response::from_parts(head, ()))
    };
    let response = timeout(PATIENCE, answer).await.ok()??;
    let still_open = sender.ready().await.is_ok().then_some(sender);
    Some((response, still_open))
}

fn version(response: &Response<()>) -> Option<&'static str> {
    let said = response.headers().get(VERSION)?;
    WORKLOADS.iter().map(|workload| workload.version).find(|version| *version == said)
}
