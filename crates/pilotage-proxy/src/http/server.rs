//! Client connections: which protocol they speak, and serving it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::BytesMut;
use pilotage_engine::http_manager::HttpManager;

use super::client::Client;
use super::detect::{Detected, detect};
use super::http2::{self, Watched};
use super::keeping::{Keeper, Keeping};
use super::placing;
use crate::connection::Arrival;
use crate::drain::Open;
use crate::http1::{self, Settings, Stream};
use crate::transport::{Connection, Prefixed};
use crate::worker::Worker;

/// Serves a connection of which `first` was read already, until it closes.
pub(crate) async fn serve(
    worker: Rc<Worker>,
    arrival: Arrival,
    mut stream: Connection,
    first: BytesMut,
    open: &Open,
) {
    let client = Rc::new(Client::new(worker, arrival));
    let manager = placing::expected(&client, &client.worker.tables());
    let manager = manager.as_deref();
    let mut keeper = Keeper::new(manager.map_or_else(Keeping::default, Keeping::of));
    // Until the first byte arrives, a drain closes the connection at once.
    let detected = {
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
        Some((first, Detected::Http1)) => {
            let unplaced = || Settings::unplaced(client.worker.tables().header_names());
            let settings = manager.map_or_else(unplaced, Settings::of);
            http1::serve(client, Stream::new(stream, first), settings, keeper, open).await;
        }
        Some((first, Detected::Http2)) => {
            let stream = Prefixed::new(first.freeze(), stream);
            serve_http2(&client, stream, manager, keeper, open).await;
        }
    }
}

async fn serve_http2(
    client: &Rc<Client>,
    stream: Prefixed<Connection>,
    manager: Option<&HttpManager>,
    keeper: Keeper,
    open: &Open,
) {
    let served = match manager.and_then(|manager| manager.request_headers_timeout) {
        None => http2::serve(client, stream, manager, None, keeper, open).await,
        Some(_) => {
            let stream = Watched::new(stream);
            let since = stream.since();
            Box::pin(http2::serve(client, stream, manager, Some(since), keeper, open)).await
        }
    };
    if let Err(error) = served {
        if error.is_go_away() && error.is_library() {
            client.worker.metrics.shard.connections.protocol_errors.add(1);
        }
        tracing::debug!(peer = %client.arrival.source, %error, "a client connection ended");
    }
}
