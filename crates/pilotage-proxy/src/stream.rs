//! A client connection whose first bytes were read to learn its protocol, and are read again by the codec.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::transport::Connection;

/// What every HTTP/2 connection begins with when the client knows beforehand that HTTP/2 is spoken.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Room for the first read: most request heads fit, so that detection costs no further read.
const FIRST_READ_BYTES: usize = 4096;

/// The protocol that a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detected {
    /// HTTP/1, or something that the HTTP/1 codec will refuse.
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
    /// The client left before it sent anything.
    Nothing,
}

/// A stream that gives `first` before what the socket still holds.
#[derive(Debug)]
pub(crate) struct Replay<S> {
    first: Bytes,
    stream: S,
}

impl Replay<Connection> {
    /// Reads until the protocol of `stream`, of which `first` was read already, is known. It costs no additional system
    /// call per connection: the bytes are the ones that the codec would have read.
    ///
    /// # Errors
    /// When the socket cannot be read.
    pub(crate) async fn detect(
        mut stream: Connection,
        mut first: BytesMut,
    ) -> io::Result<(Self, Detected)> {
        first.reserve(FIRST_READ_BYTES);
        let detected = loop {
            let known = first.len().min(PREFACE.len());
            if first.get(..known) != PREFACE.get(..known) {
                break Detected::Http1;
            }
            if known == PREFACE.len() {
                break Detected::Http2;
            }
            if stream.read_buf(&mut first).await? == 0 {
                break if first.is_empty() { Detected::Nothing } else { Detected::Http1 };
            }
        };
        Ok((Self { first: first.freeze(), stream }, detected))
    }
}

impl<S> Replay<S> {
    /// What was read, and the stream that gives the rest.
    pub(crate) fn into_parts(self) -> (BytesMut, S) {
        (self.first.into(), self.stream)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Replay<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let count = self.first.len().min(buf.remaining());
        buf.put_slice(self.first.get(..count).unwrap_or_default());
        self.first.advance(count);
        if self.first.is_empty() {
            self.first = Bytes::new(); // Gives the buffer back for the rest of the connection.
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replay<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::{Detected, PREFACE, Replay};
    use crate::transport::Connection;

    async fn detect(parts: &[&[u8]]) -> (Detected, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let writer = async {
            for part in parts {
                client.write_all(part).await.unwrap();
                tokio::task::yield_now().await;
            }
            client.shutdown().await.unwrap();
        };
        let reader = async {
            let (mut replay, detected) =
                Replay::detect(Connection::Plain(server), BytesMut::new()).await.unwrap();
            let mut all = Vec::new();
            replay.read_to_end(&mut all).await.unwrap();
            (detected, all)
        };
        tokio::join!(writer, reader).1
    }

    #[tokio::test]
    async fn the_protocol_is_known_and_no_byte_is_lost() {
        let head = b"POST / HTTP/1.1\r\nhost: a\r\n\r\n";
        assert_eq!(detect(&[head]).await, (Detected::Http1, head.to_vec()));
        assert_eq!(detect(&[b"P", b"RI"]).await, (Detected::Http1, b"PRI".to_vec()));
        assert_eq!(detect(&[PREFACE, b"x"]).await, (Detected::Http2, [PREFACE, b"x"].concat()));
        assert_eq!(detect(&[]).await, (Detected::Nothing, Vec::new()));
    }
}
