//! A connection, whatever carries its bytes: what codecs, pools and byte tunnels read from and write to.

mod below;
mod prefixed;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use pilotage_engine::tls::TlsSession;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

pub(crate) use self::below::writes_as_below;
pub(crate) use self::prefixed::Prefixed;
use crate::tls::TlsFacts;

/// A connection to a client or an upstream.
#[derive(Debug)]
pub(crate) enum Connection {
    /// Bytes as they are on the wire.
    Plain(TcpStream),
    /// Bytes inside TLS that ends here.
    Tls(Box<Secured>),
}

/// A connection with TLS.
#[derive(Debug)]
pub(crate) struct Secured {
    stream: TlsStream<Prefixed<TcpStream>>,
    facts: TlsFacts,
}

/// What requests tell of the connection below them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transport {
    /// Our end's address.
    pub(crate) local: Option<SocketAddr>,
    /// What the TLS handshake has shown; `None` without TLS.
    pub(crate) tls: Option<Arc<TlsSession>>,
}

impl Transport {
    pub(crate) fn of(connection: &Connection) -> Self {
        let tls = connection.tls().map(|facts| Arc::clone(&facts.session));
        Self { local: connection.local_addr().ok(), tls }
    }
}

impl Connection {
    /// A connection whose handshake is done.
    pub(crate) fn secured(stream: TlsStream<Prefixed<TcpStream>>, facts: TlsFacts) -> Self {
        Self::Tls(Box::new(Secured { stream, facts }))
    }

    /// Our end's address.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket().local_addr()
    }

    /// The socket below, to read or change its options. Its bytes are not the connection's.
    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(secured) => secured.stream.get_ref().0.get_ref(),
        }
    }

    /// What the TLS handshake has shown; `None` without TLS.
    pub(crate) fn tls(&self) -> Option<&TlsFacts> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(secured) => Some(&secured.facts),
        }
    }

    /// Whether nothing has arrived: no byte, no end, no error. An idle connection of which this is not true must not
    /// be used again. It is as new as the last time the runtime asked the system, and costs no system call when
    /// nothing has happened since.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let mut context = Context::from_waker(Waker::noop());
        Pin::new(self).poll_read(&mut context, &mut ReadBuf::new(&mut byte)).is_pending()
    }
}

impl Connection {
    /// Ready when a read is worth trying. What waits here needs no buffer yet.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            // An error shows when the socket is read.
            Self::Plain(stream) => stream.poll_read_ready(cx).map(drop),
            // Something may have been decrypted already: only a read tells.
            Self::Tls(_) => Poll::Ready(()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(secured) => Pin::new(&mut secured.stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, data),
            Self::Tls(secured) => Pin::new(&mut secured.stream).poll_write(cx, data),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, data),
            Self::Tls(secured) => Pin::new(&mut secured.stream).poll_write_vectored(cx, data),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(secured) => secured.stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(secured) => Pin::new(&mut secured.stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(secured) => Pin::new(&mut secured.stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::Connection;

    #[tokio::test]
    async fn a_connection_is_quiet_until_something_arrives() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        for bytes in [b"x".as_slice(), b""] {
            let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut server, _) = listener.accept().await.unwrap();
            let mut connection = Connection::Plain(client);
            assert!(connection.is_quiet());
            server.write_all(bytes).await.unwrap();
            server.shutdown().await.unwrap();
            connection.socket().readable().await.unwrap();
            assert!(!connection.is_quiet());
        }
    }
}
