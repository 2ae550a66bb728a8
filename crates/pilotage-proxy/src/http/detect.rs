//! Which version of HTTP a client speaks, from its first bytes.

use std::io;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;

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

/// Reads until the protocol of `stream`, of which `first` was read already, is known; gives all that was read. It costs
/// no additional system call per connection: the bytes are the ones that the codec would have read.
///
/// # Errors
/// When the connection cannot be read.
pub(crate) async fn detect(
    stream: &mut Connection,
    mut first: BytesMut,
) -> io::Result<(BytesMut, Detected)> {
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
    Ok((first, detected))
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::{Detected, PREFACE};
    use crate::transport::{Connection, Prefixed};

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
            let mut connection = Connection::Plain(server);
            let (first, detected) = super::detect(&mut connection, BytesMut::new()).await.unwrap();
            let mut all = Vec::new();
            Prefixed::new(first.freeze(), connection).read_to_end(&mut all).await.unwrap();
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
