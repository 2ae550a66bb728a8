//! Client connections: which protocol they speak, and serving it.

use std::cell::OnceCell;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::BytesMut;
use http::HeaderValue;

use super::detect::{Detected, detect};
use super::http2;
use super::keeping::{Keeper, Keeping};
use super::place::{self, Memo};
use crate::connection::Arrival;
use crate::drain::Open;
use crate::http1::{self, Limits, Settings, Stream};
use crate::transport::{Connection, Prefixed};
use crate::worker::Worker;

/// A client connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) worker: Rc<Worker>,
    pub(crate) arrival: Arrival,
    pub(super) memo: Memo,
    /// What `x-forwarded-for` is told of the peer, for the local address of the first request.
    pub(super) forwarded_for: OnceCell<(IpAddr, HeaderValue)>,
}

impl Client {
    fn new(worker: Rc<Worker>, arrival: Arrival) -> Self {
        Self { worker, arrival, memo: Memo::default(), forwarded_for: OnceCell::new() }
    }
}

/// Serves a connection of which `first` was read already, until it closes.
pub(crate) async fn serve(
    worker: Rc<Worker>,
    arrival: Arrival,
    mut stream: Connection,
    first: BytesMut,
    open: &Open,
) {
    let client = Rc::new(Client::new(worker, arrival));
    // Until the first byte arrives, a drain closes the connection at once.
    let detected = {
        let place = place::expected(&client, &client.worker.tables());
        let mut keeper =
            Keeper::new(place.map_or_else(Keeping::default, |p| Keeping::of(&p.manager)));
        let mut detecting = pin!(detect(&mut stream, first));
        poll_fn(|cx| match open.should_close(cx) {
            true => Poll::Ready(None),
            false => match detecting.as_mut().poll(cx) {
                Poll::Ready(detected) => Poll::Ready(detected.ok()),
                Poll::Pending if keeper.poll_idle(cx) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            },
        })
        .await
    };
    match detected {
        None | Some((_, Detected::Nothing)) => {}
        Some((first, Detected::Http1)) => serve_http1(client, stream, first, open).await,
        Some((first, Detected::Http2)) => serve_http2(client, stream, first, open).await,
    }
}

async fn serve_http1(client: Rc<Client>, stream: Connection, first: BytesMut, open: &Open) {
    let settings = match place::expected(&client, &client.worker.tables()) {
        Some(place) => Settings {
            limits: Limits {
                bytes: usize::try_from(place.manager.max_request_headers_bytes)
                    .unwrap_or(usize::MAX),
                headers: usize::try_from(place.manager.max_headers_count).unwrap_or(usize::MAX),
            },
            keeping: Keeping::of(&place.manager),
            trailers: place.manager.enable_trailers,
        },
        None => Settings::default(),
    };
    http1::serve(client, Stream::new(stream, first), settings, open).await;
}

async fn serve_http2(client: Rc<Client>, stream: Connection, first: BytesMut, open: &Open) {
    let stream = Prefixed::new(first.freeze(), stream);
    if let Err(error) = http2::serve(&client, stream, open).await {
        if error.is_go_away() && error.is_library() {
            client.worker.metrics.shard.connections.protocol_errors.add(1);
        }
        tracing::debug!(peer = %client.arrival.source, %error, "a client connection ended");
    }
}
