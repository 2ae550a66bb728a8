//! Tunnels over HTTP/1.1: CONNECT changes what the connection carries; POST wraps the bytes in chunks.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use pilotage_engine::header_names::HeaderNames;
use pilotage_engine::tcp_route::Tunneling;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{broken, check, hand_over};
use crate::failure::Failure;
use crate::http1::{Decoder, Encoder, Framing, Limits, Piece, ResponseHead, Stream};
use crate::tcp::Duplex;
use crate::transport::Connection;

/// Asks for a tunnel.
pub(super) async fn open(
    connection: Connection,
    tunneling: &Tunneling,
) -> Result<Box<dyn Duplex>, Failure> {
    let (host, chunked) = (&tunneling.hostname, tunneling.use_post);
    let request = if chunked {
        format!("POST / HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: chunked\r\n\r\n")
    } else {
        format!("CONNECT {host} HTTP/1.1\r\nhost: {host}\r\n\r\n")
    };
    let mut stream = Stream::new(connection, BytesMut::new());
    stream.output.buffer().extend_from_slice(request.as_bytes());
    let answer = poll_fn(|cx| poll_answer(&mut stream, cx)).await;
    let answer = answer.map_err(|error| broken(&error))?;
    check(answer.head.status)?;
    let decoder = Decoder::new(if chunked { answer.framing } else { Framing::UntilClose });
    let encoder = chunked.then(|| Encoder::new(Framing::Chunked));
    Ok(Box::new(Tunnel { stream, ready: Bytes::new(), decoder, encoder, ended: false }))
}

/// Sends the request and reads the head of the answer.
fn poll_answer(stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<ResponseHead>> {
    ready!(stream.poll_flush(cx))?;
    loop {
        match stream
            .response(Limits::default(), HeaderNames::default(), false)
            .map_err(io::Error::other)?
        {
            Some(answer) if answer.head.status.is_informational() => {}
            Some(answer) => return Poll::Ready(Ok(answer)),
            None if ready!(stream.poll_fill(cx))? == 0 => {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            None => {}
        }
    }
}

/// The bytes of a tunnel.
#[derive(Debug)]
struct Tunnel {
    stream: Stream,
    /// Decoded, and not asked for yet.
    ready: Bytes,
    decoder: Decoder,
    /// Writes the chunks of the request; without one the bytes go as they are.
    encoder: Option<Encoder>,
    /// The last chunk is written, or among the output.
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
            match this.decoder.decode(&mut this.stream.input).map_err(io::Error::other)? {
                Piece::Data(data) => this.ready = data,
                Piece::Trailers(_) | Piece::End => return Poll::Ready(Ok(())),
                Piece::More => {
                    if ready!(this.stream.poll_fill(cx))? == 0 {
                        let complete = this.decoder.end_of_input();
                        let cut = || io::ErrorKind::UnexpectedEof.into();
                        return Poll::Ready(complete.then_some(()).ok_or_else(cut));
                    }
                }
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
        let this = self.get_mut();
        let Some(encoder) = &mut this.encoder else {
            return Pin::new(&mut this.stream.connection).poll_write(cx, data);
        };
        // Then there is room for another chunk.
        ready!(this.stream.poll_flush(cx))?;
        let chunk = Frame::data(Bytes::copy_from_slice(data));
        encoder.frame(chunk, &mut this.stream.output).map_err(io::Error::other)?;
        // The data is taken, whether or not it gets out at once.
        if let Poll::Ready(Err(error)) = this.stream.poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(encoder) = &mut this.encoder else {
            return Pin::new(&mut this.stream.connection).poll_shutdown(cx);
        };
        if !this.ended {
            // The last chunk needs room, like any other.
            ready!(this.stream.poll_flush(cx))?;
            this.ended = true;
            encoder.end(&mut this.stream.output).map_err(io::Error::other)?;
        }
        // The request has ended; its answer goes on over the same connection.
        this.stream.poll_flush(cx)
    }
}
