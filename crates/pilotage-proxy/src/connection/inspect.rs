//! Looking at the first bytes of a connection, as far as its listener asks, without losing one.

use std::io;
use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use pilotage_engine::listener::Inspection;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{Findings, client_hello, first_line};
use crate::proxy_protocol;

/// Room for the first read: most first flights fit.
const FIRST_READ_BYTES: usize = 4096;

/// What bytes that may go on amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Look<T> {
    /// This.
    Found(T),
    /// More bytes are needed to say.
    Incomplete,
    /// Something else.
    Other,
    /// Nothing that may go on.
    Refused,
}

/// What was seen of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// What was read, without the PROXY header: to be passed on first.
    pub(super) first: BytesMut,
    pub(super) findings: Findings,
    /// Source and destination, as a PROXY header says.
    pub(super) addresses: Option<(SocketAddr, SocketAddr)>,
}

/// Why a connection is closed before anybody serves it.
#[derive(Debug, thiserror::Error)]
pub(super) enum InspectError {
    #[error("the client did not say in time what it speaks")]
    Timeout,
    #[error("the connection ended before it was clear what it speaks")]
    Ended,
    #[error("there is no valid PROXY header")]
    ProxyHeader,
    #[error("the client hello is too large")]
    TooLarge,
    #[error(transparent)]
    Read(#[from] io::Error),
}

/// Reads from `stream`, which goes to `port` and of which `first` was read already, what `inspection` asks for.
///
/// # Errors
/// When the connection is to be closed: it ended, took too long, or lacks the PROXY header.
pub(super) async fn inspect<S: AsyncRead + Unpin>(
    stream: &mut S,
    first: BytesMut,
    inspection: &Inspection,
    port: u16,
) -> Result<Seen, InspectError> {
    let mut seen = Seen { first, ..Seen::default() };
    let looking = look(stream, inspection, port, &mut seen);
    match inspection.timeout {
        None => looking.await?,
        Some(limit) => match tokio::time::timeout(limit, looking).await {
            Ok(looked) => looked?,
            Err(_elapsed) if inspection.continue_on_timeout => {}
            Err(_elapsed) => return Err(InspectError::Timeout),
        },
    }
    Ok(seen)
}

async fn look<S: AsyncRead + Unpin>(
    stream: &mut S,
    inspection: &Inspection,
    mut port: u16,
    seen: &mut Seen,
) -> Result<(), InspectError> {
    if inspection.proxy_protocol {
        let found = until_known(stream, &mut seen.first, proxy_protocol::read).await?;
        let header = found.map_err(|_no_header| InspectError::ProxyHeader)?;
        seen.first.advance(header.length);
        seen.addresses = header.addresses;
        port = header.addresses.map_or(port, |(_source, destination)| destination.port());
    }
    let applies = |scope: &Option<pilotage_engine::listener::InspectorScope>| {
        scope.as_ref().is_some_and(|scope| scope.applies_to(port))
    };
    if applies(&inspection.tls) {
        match until_known(stream, &mut seen.first, client_hello::look).await? {
            Ok(hello) => {
                let client_hello::ClientHello { server_name, protocols } = hello;
                seen.findings = Findings { tls: true, server_name, protocols };
            }
            Err(Look::Refused) => return Err(InspectError::TooLarge),
            Err(_no_tls) => {}
        }
    }
    if applies(&inspection.http)
        && !seen.findings.tls
        && let Ok(kind) = until_known(stream, &mut seen.first, first_line::look).await?
    {
        seen.findings.protocols = vec![kind.into()];
    }
    Ok(())
}

/// Reads until `look` knows what the bytes are.
async fn until_known<S: AsyncRead + Unpin, T>(
    stream: &mut S,
    first: &mut BytesMut,
    look: impl Fn(&[u8]) -> Look<T>,
) -> Result<Result<T, Look<()>>, InspectError> {
    loop {
        if !first.is_empty() {
            match look(first) {
                Look::Found(found) => return Ok(Ok(found)),
                Look::Other => return Ok(Err(Look::Other)),
                Look::Refused => return Ok(Err(Look::Refused)),
                Look::Incomplete => {}
            }
        }
        first.reserve(FIRST_READ_BYTES);
        if stream.read_buf(first).await? == 0 {
            return Err(InspectError::Ended);
        }
    }
}
