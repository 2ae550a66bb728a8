//! `CONNECT host:port`: a client of the outbound port asks for a connection instead of sending requests.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::{Buf, BytesMut};
use pilotage_engine::Tables;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::dns::Names;

const METHOD: &[u8] = b"CONNECT ";
/// Longest head that is read, Envoy's default for requests.
const MAX_HEAD_BYTES: usize = 60 * 1024;
/// Room for the first read: most request heads fit.
const FIRST_READ_BYTES: usize = 4096;

/// What a client of the outbound port begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// The head of an ordinary request, or a part of it.
    Request,
    /// It wants a connection to this host and port.
    Connect(String),
    /// It wants a connection, and does not say where to as it should.
    Broken,
}

/// Reads into `first` until it is clear what the client wants. The head of a CONNECT is taken out of `first`.
///
/// # Errors
/// When the socket cannot be read.
pub(super) async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    first: &mut BytesMut,
) -> io::Result<Opening> {
    loop {
        let known = first.len().min(METHOD.len());
        if first.get(..known) != METHOD.get(..known) {
            return Ok(Opening::Request);
        }
        if let Some(end) = first.windows(4).position(|part| part == b"\r\n\r\n") {
            let opening = first.get(..end).map_or(Opening::Broken, target);
            first.advance(end + 4);
            return Ok(opening);
        }
        if first.len() > MAX_HEAD_BYTES {
            return Ok(Opening::Broken);
        }
        first.reserve(FIRST_READ_BYTES);
        if stream.read_buf(first).await? == 0 {
            return Ok(Opening::Request);
        }
    }
}

fn target(head: &[u8]) -> Opening {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let words: Vec<&str> = std::str::from_utf8(line).unwrap_or_default().split(' ').collect();
    match *words.as_slice() {
        ["CONNECT", target, "HTTP/1.1" | "HTTP/1.0"] if split(target).is_some() => {
            Opening::Connect(target.to_owned())
        }
        _ => Opening::Broken,
    }
}

fn split(target: &str) -> Option<(&str, u16)> {
    let (host, port) = target.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some((host, port.parse().ok()?)).filter(|(host, _port)| !host.is_empty())
}

/// The address that a client without a proxy would have connected to: the mesh's, else the world's. Unspecified when
/// nobody knows the name; its port still says which listener is meant.
pub(super) async fn resolve(tables: &Tables, names: &Names, target: &str) -> SocketAddr {
    if let Some(known) = tables.destination(target, None) {
        return known;
    }
    let Some((host, port)) = split(target) else { return (Ipv4Addr::UNSPECIFIED, 0).into() };
    let ip = match host.parse::<IpAddr>() {
        Ok(ip) => Some(ip),
        Err(_) => names.look_up(tables.canonical_name(host)).await.first().copied(),
    };
    SocketAddr::new(ip.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), port)
}

/// Tells the client that its connection is there.
///
/// # Errors
/// When the client is gone.
pub(super) async fn accept<S: AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await
}

/// Tells the client why there is no connection.
///
/// # Errors
/// When the client is gone.
pub(super) async fn refuse<S: AsyncWrite + Unpin>(stream: &mut S, why: &str) -> io::Result<()> {
    let head = format!("HTTP/1.1 {why}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::{Opening, read};

    async fn opening(text: &str) -> (Opening, String) {
        let mut first = BytesMut::new();
        let opening = read(&mut text.as_bytes(), &mut first).await.unwrap();
        (opening, String::from_utf8(first.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn connect_is_told_from_requests() {
        let connect = |target: &str| Opening::Connect(target.to_owned());
        let more = "CONNECT db:5432 HTTP/1.1\r\nhost: db:5432\r\n\r\nbytes";
        assert_eq!(opening(more).await, (connect("db:5432"), "bytes".into()));
        let six = "CONNECT [2001:db8::1]:443 HTTP/1.1\r\n\r\n";
        assert_eq!(opening(six).await.0, connect("[2001:db8::1]:443"));
        for request in ["GET / HTTP/1.1\r\n\r\n", "CONN", "", "CONTINUE"] {
            assert_eq!(opening(request).await, (Opening::Request, request.into()));
        }
        for broken in
            ["CONNECT db HTTP/1.1\r\n\r\n", "CONNECT :1 HTTP/1.1\r\n\r\n", "CONNECT a:b c\r\n\r\n"]
        {
            assert_eq!(opening(broken).await.0, Opening::Broken, "{broken}");
        }
    }
}
