//! Client connections: which protocol they speak, and serving it.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use bytes::BytesMut;
use http::{Request, Response};
use http_body::Body;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::body::{Incoming, ResponseBody};
use super::exchange;
use super::head::Head;
use super::place::{self, Memo};
use crate::connection::Arrival;
use crate::drain::Open;
use crate::http1::{self, Limits, Stream};
use crate::stream::{Detected, Replay};
use crate::transport::Connection;
use crate::worker::{LocalExecutor, Worker};

/// Largest request head, Envoy's default; beyond it 431.
const MAX_HEAD_BYTES: usize = 60 * 1024;

/// A client connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) worker: Rc<Worker>,
    pub(crate) arrival: Arrival,
    pub(super) memo: Memo,
}

/// Serves a connection of which `first` was read already, until it closes.
pub(crate) async fn serve(
    worker: Rc<Worker>,
    arrival: Arrival,
    stream: Connection,
    first: BytesMut,
    open: &Open,
) {
    let client = Rc::new(Client { worker, arrival, memo: Memo::default() });
    // Until the first byte arrives, a drain closes the connection at once.
    let mut detecting = pin!(Replay::detect(stream, first));
    let detected = poll_fn(|cx| match open.should_close(cx) {
        true => Poll::Ready(None),
        false => detecting.as_mut().poll(cx).map(Result::ok),
    });
    match detected.await {
        None | Some((_, Detected::Nothing)) => {}
        Some((stream, Detected::Http1)) => serve_http1(client, stream, open).await,
        Some((stream, Detected::Http2)) => serve_http2(client, stream, open).await,
    }
}

async fn serve_http1(client: Rc<Client>, stream: Replay<Connection>, open: &Open) {
    let limits = match place::expected(&client, &client.worker.tables()) {
        Some(place) => Limits {
            bytes: usize::try_from(place.manager.max_request_headers_bytes).unwrap_or(usize::MAX),
            headers: usize::try_from(place.manager.max_headers_count).unwrap_or(usize::MAX),
        },
        None => Limits::default(),
    };
    let (first, connection) = stream.into_parts();
    http1::serve(client, Stream::new(connection, first), limits, open).await;
}

async fn serve_http2(client: Rc<Client>, stream: Replay<Connection>, open: &Open) {
    let requests = Rc::clone(&client);
    let service = service_fn(move |request| {
        let client = Rc::clone(&requests);
        async move { Ok::<_, Infallible>(answer(client, request).await) }
    });
    let connection = http2::Builder::new(LocalExecutor)
        .auto_date_header(false)
        .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let served = run(connection.as_mut(), open, |connection| connection.graceful_shutdown()).await;
    note_end(&client, served);
}

/// Hands a request that hyper has read to the exchange.
async fn answer(
    client: Rc<Client>,
    request: Request<hyper::body::Incoming>,
) -> Response<ResponseBody> {
    let (parts, body) = request.into_parts();
    let body = (!body.is_end_stream()).then_some(Incoming::Hyper(body));
    exchange::handle(client, Head::of(parts), body).await
}

/// Polls `connection` to its end, and tells it once to finish when the worker drains.
async fn run<C, F>(mut connection: Pin<&mut C>, open: &Open, finish: F) -> hyper::Result<()>
where
    C: Future<Output = hyper::Result<()>>,
    F: Fn(Pin<&mut C>),
{
    poll_fn(|cx| {
        if open.should_close(cx) {
            finish(connection.as_mut());
        }
        connection.as_mut().poll(cx)
    })
    .await
}

fn note_end(client: &Client, served: hyper::Result<()>) {
    if let Err(error) = served {
        if error.is_parse() {
            client.worker.metrics.shard.connections.protocol_errors.add(1);
        }
        tracing::debug!(peer = %client.arrival.source, %error, "a client connection ended");
    }
}
