//! Tunnels over HTTP/1.1: CONNECT changes what the connection carries; POST wraps the bytes in chunks.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::StatusCode;
use pilotage_engine::tcp_route::Tunneling;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::{broken, check};
use crate::failure::Failure;
use crate::http1::{Decoder, Framing, Piece};
use crate::tcp::Duplex;
use crate::transport::Connection;

/// Longest head of an answer, Envoy's default.
const MAX_HEAD_BYTES: usize = 60 * 1024;
const READ_BYTES: usize = 8 * 1024;

/// Asks for a tunnel.
pub(super) async fn open(
    mut connection: Connection,
    tunneling: &Tunneling,
) -> Result<Box<dyn Duplex>, Failure> {
    let (host, chunked) = (&tunneling.hostname, tunneling.use_post);
    let head = if chunked {
        format!("POST / HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: chunked\r\n\r\n")
    } else {
        format!("CONNECT {host} HTTP/1.1\r\nhost: {host}\r\n\r\n")
    };
    let mut input = BytesMut::with_capacity(READ_BYTES);
    let asked = ask(&mut connection, &head, &mut input).await;
    let (status, framing) = asked.map_err(|error| broken(&error))?;
    check(status)?;
    let decoder = Decoder::new(if chunked { framing } else { Framing::UntilClose });
    let (ready, output) = (Bytes::new(), BytesMut::new());
    Ok(Box::new(Tunnel { connection, input, ready, decoder, output, chunked, ended: false }))
}

/// Sends the request and reads the head of the answer; what comes after it stays in `input`.
async fn ask(
    connection: &mut Connection,
    request: &str,
    input: &mut BytesMut,
) -> io::Result<(StatusCode, Framing)> {
    connection.write_all(request.as_bytes()).await?;
    connection.flush().await?;
    loop {
        if let Some(end) = input.windows(4).position(|part| part == b"\r\n\r\n") {
            let head = input.split_to(end + 4);
            let (status, framing) = parse(&head).ok_or(io::ErrorKind::InvalidData)?;
            if status.is_informational() {
                continue;
            }
            return Ok((status, framing));
        }
        if input.len() > MAX_HEAD_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if connection.read_buf(input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Status, and where the body ends.
fn parse(head: &[u8]) -> Option<(StatusCode, Framing)> {
    let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
    let line = lines.next()?.strip_prefix("HTTP/1.")?;
    let status = StatusCode::from_bytes(line.split(' ').nth(1)?.as_bytes()).ok()?;
    let mut framing = Framing::UntilClose;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("transfer-encoding") {
            framing = Framing::Chunked;
        } else if name.eq_ignore_ascii_case("content-length") && framing == Framing::UntilClose {
            framing = Framing::Length(value.trim().parse().ok()?);
        }
    }
    Some((status, framing))
}

/// The bytes of a tunnel.
#[derive(Debug)]
struct Tunnel {
    connection: Connection,
    /// Read, and not decoded.
    input: BytesMut,
    /// Decoded, and not asked for yet.
    ready: Bytes,
    decoder: Decoder,
    /// Chunks that the connection has not taken yet.
    output: BytesMut,
    chunked: bool,
    /// The last chunk is written, or among the output.
    ended: bool,
}

impl Tunnel {
    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let count = ready!(Pin::new(&mut self.connection).poll_write(cx, &self.output))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.advance(count);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if !this.ready.is_empty() {
                let count = this.ready.len().min(buf.remaining());
                buf.put_slice(&this.ready.split_to(count));
                return Poll::Ready(Ok(()));
            }
            match this.decoder.decode(&mut this.input).map_err(io::Error::other)? {
                Piece::Data(data) => this.ready = data,
                Piece::Trailers(_) | Piece::End => return Poll::Ready(Ok(())),
                Piece::More => {
                    let mut part = [0; READ_BYTES];
                    let mut part = ReadBuf::new(&mut part);
                    ready!(Pin::new(&mut this.connection).poll_read(cx, &mut part))?;
                    if part.filled().is_empty() {
                        let complete = this.decoder.end_of_input();
                        let cut = || io::ErrorKind::UnexpectedEof.into();
                        return Poll::Ready(complete.then_some(()).ok_or_else(cut));
                    }
                    this.input.extend_from_slice(part.filled());
                }
            }
        }
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.chunked {
            return Pin::new(&mut this.connection).poll_write(cx, data);
        }
        ready!(this.poll_output(cx))?;
        if !data.is_empty() {
            this.output.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
            this.output.extend_from_slice(data);
            this.output.extend_from_slice(b"\r\n");
            // The data is taken, whether or not it gets out at once.
            if let Poll::Ready(Err(error)) = this.poll_output(cx) {
                return Poll::Ready(Err(error));
            }
        }
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_output(cx))?;
        Pin::new(&mut this.connection).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.chunked {
            return Pin::new(&mut this.connection).poll_shutdown(cx);
        }
        if !this.ended {
            this.ended = true;
            this.output.extend_from_slice(b"0\r\n\r\n");
        }
        // The request has ended; its answer goes on over the same connection.
        Pin::new(this).poll_flush(cx)
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::parse;
    use crate::http1::Framing;

    #[test]
    fn answers_say_whether_and_how_there_is_a_tunnel() {
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(parse(chunked), Some((StatusCode::OK, Framing::Chunked)));
        let length = b"HTTP/1.0 403 No\r\ncontent-length: 3\r\n\r\n";
        assert_eq!(parse(length), Some((StatusCode::FORBIDDEN, Framing::Length(3))));
        assert_eq!(parse(b"HTTP/1.1 200\r\n\r\n"), Some((StatusCode::OK, Framing::UntilClose)));
        assert_eq!(parse(b"SSH-2.0\r\n\r\n"), None);
    }
}
