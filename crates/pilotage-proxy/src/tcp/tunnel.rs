//! Tunnels: a connection that another proxy carries on, asked for with an HTTP request. DestinationRule
//! `trafficPolicy.tunnel`; xDS: `TcpProxy.tunneling_config`.

mod http1;
mod http2;

use std::io;

use bytes::Bytes;
use http::StatusCode;
use pilotage_engine::tcp_route::Tunneling;
use tokio::io::ReadBuf;

use super::Duplex;
use crate::failure::Failure;
use crate::transport::Connection;

/// Asks the proxy at the other end of `connection` for a tunnel.
///
/// # Errors
/// [`Failure::Connect`], when it does not give one.
pub(super) async fn open(
    connection: Connection,
    tunneling: &Tunneling,
    speaks_http2: bool,
) -> Result<Box<dyn Duplex>, Failure> {
    if speaks_http2 {
        http2::open(connection, tunneling).await
    } else {
        http1::open(connection, tunneling).await
    }
}

/// Whether the proxy gives a tunnel. Any success counts, as for Envoy.
fn check(status: StatusCode) -> Result<(), Failure> {
    if status.is_success() {
        return Ok(());
    }
    Err(Failure::Connect { reason: format!("tunnel_response:{}", status.as_u16()).into() })
}

/// Moves as much of `ready` to `buf` as there is room for.
fn hand_over(ready: &mut Bytes, buf: &mut ReadBuf<'_>) {
    let count = ready.len().min(buf.remaining());
    buf.put_slice(&ready.split_to(count));
}

fn broken(error: &io::Error) -> Failure {
    Failure::Connect { reason: format!("no tunnel: {error}").into() }
}
