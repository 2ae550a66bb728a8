//! Tunnels over HTTP/2: the bytes are the data of one stream. Each has a connection of its own.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use http::{Method, Request, Version};
use pilotage_engine::tcp_route::Tunneling;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{check, hand_over};
use crate::failure::Failure;
use crate::http::{CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES};
use crate::tcp::Duplex;
use crate::transport::Connection;

/// What is handed to the stream at once at most.
const WRITE_BYTES: usize = 64 * 1024;

/// Asks for a tunnel.
pub(super) async fn open(
    connection: Connection,
    tunneling: &Tunneling,
) -> Result<Box<dyn Duplex>, Failure> {
    let broken = |error: h2::Error| super::broken(&io::Error::other(error));
    let handshake = h2::client::Builder::new()
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .enable_push(false)
        .handshake::<_, Bytes>(connection);
    let (send, driver) = handshake.await.map_err(broken)?;
    tokio::task::spawn_local(async move {
        if let Err(error) = driver.await {
            tracing::debug!(%error, "the connection of a tunnel ended");
        }
    });
    let mut send = send.ready().await.map_err(broken)?;
    let host = &tunneling.hostname;
    let (method, uri) = if tunneling.use_post {
        (Method::POST, format!("http://{host}/"))
    } else {
        (Method::CONNECT, host.to_string())
    };
    let request = Request::builder().method(method).uri(uri).version(Version::HTTP_2).body(());
    let request = request.map_err(|error| super::broken(&io::Error::other(error)))?;
    let (response, stream) = send.send_request(request, false).map_err(broken)?;
    let response = response.await.map_err(broken)?;
    check(response.status())?;
    Ok(Box::new(Tunnel { stream, body: response.into_body(), ready: Bytes::new(), ended: false }))
}

/// The bytes of a tunnel.
#[derive(Debug)]
struct Tunnel {
    stream: SendStream<Bytes>,
    body: RecvStream,
    /// Received, and not asked for yet.
    ready: Bytes,
    /// The end is sent.
    ended: bool,
}

impl AsyncRead for Tunnel {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.ready.is_empty() {
            match ready!(this.body.poll_data(cx)) {
                Some(Ok(data)) => {
                    let released = this.body.flow_control().release_capacity(data.len());
                    released.map_err(io::Error::other)?;
                    this.ready = data;
                }
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        hand_over(&mut this.ready, buf);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let stream = &mut self.get_mut().stream;
        while stream.capacity() == 0 {
            stream.reserve_capacity(data.len().clamp(1, WRITE_BYTES));
            match ready!(stream.poll_capacity(cx)) {
                Some(Ok(_room)) => {}
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
        let part = data.get(..stream.capacity()).unwrap_or(data);
        let sent = stream.send_data(Bytes::copy_from_slice(part), false);
        Poll::Ready(sent.map(|()| part.len()).map_err(io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if std::mem::replace(&mut this.ended, true) {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(this.stream.send_data(Bytes::new(), true).map_err(io::Error::other))
    }
}
