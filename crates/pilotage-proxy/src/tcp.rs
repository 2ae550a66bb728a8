//! Connections that are not HTTP: their bytes go to a cluster and back, as they come.

mod copy;
mod tail;
mod tunnel;
mod upstream;

use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use pilotage_engine::response_flag::{ResponseFlags, details};
use pilotage_engine::tcp_route::TcpRoute;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};

use self::copy::{Copying, End, Limits};
use self::tail::Tail;
use crate::connection::Arrival;
use crate::transport::Connection;
use crate::worker::Worker;

/// A stream of bytes in both directions.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

/// Passes the bytes of `client`, of which `first` was read already, on to where `route` leads, until both sides have
/// ended.
pub(crate) async fn serve(
    worker: &Rc<Worker>,
    arrival: Arrival,
    route: &Arc<TcpRoute>,
    mut client: Connection,
    first: BytesMut,
) {
    let mut tail = Tail::new(worker, arrival);
    let oldest = route.max_connection_duration.map(|age| tokio::time::Instant::now() + age);
    let Some(mut upstream) = upstream::open(worker, route, &mut tail).await else { return };
    let copying = Copying::new(first, Limits { idle: route.idle_timeout, until: oldest });
    let noted = |received, sent| tail.passed(received, sent);
    let end = copying.run(&mut client, &mut *upstream.stream, noted).await;
    match end {
        End::Complete | End::Idle => {}
        End::TooOld => tail.flags.insert(ResponseFlags::DURATION_TIMEOUT),
        End::ClientBroken(error) => tracing::debug!(%error, "a client broke its connection"),
        End::UpstreamBroken(error) => {
            tracing::debug!(%error, "an upstream broke its connection");
            if error.kind() == ErrorKind::ConnectionReset {
                tail.flags.insert(ResponseFlags::UPSTREAM_RESET);
                // A reset is passed on as one: an orderly end would say that everything had been sent.
                SockRef::from(client.socket()).set_linger(Some(Duration::ZERO)).ok();
            }
        }
    }
    upstream.ended();
}

/// Notes a connection that no filter chain takes.
pub(crate) fn refused(worker: &Rc<Worker>, arrival: Arrival) {
    let mut tail = Tail::new(worker, arrival);
    tail.flags.insert(ResponseFlags::NO_ROUTE);
    tail.details = details::FILTER_CHAIN_NOT_FOUND.into();
}
