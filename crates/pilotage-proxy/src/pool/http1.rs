//! HTTP/1.1 connections: one request at a time each; the one used last is used next.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use pilotage_engine::cluster::ClusterSettings;
use pilotage_engine::endpoint::Endpoint;
use tokio::sync::oneshot;

use super::{EndpointPool, Lease};
use crate::failure::Failure;
use crate::http::RequestBody;

/// Largest response head, Envoy's default.
const MAX_HEAD_BYTES: usize = 60 * 1024;

/// A connection and what is known of it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) send: SendRequest<RequestBody>,
    pub(super) local: Option<SocketAddr>,
    born: Instant,
    /// When it last became idle; set without reading a clock where nobody will ask.
    idle_since: Cell<Instant>,
    /// Requests that it may still take.
    left: u32,
}

impl Connection {
    /// Whether it is worth keeping.
    pub(super) fn keep(&self, now: Instant, idle_timeout: Duration) -> bool {
        !self.send.is_closed()
            && now.saturating_duration_since(self.idle_since.get()) < idle_timeout
    }
}

impl EndpointPool {
    /// The idle connection that was used last. Closed ones on the way are dropped; ones that are not ready yet (the
    /// rest of their last request is still being sent) are passed over.
    pub(super) fn idle_http1(&self, settings: &ClusterSettings) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        let mut index = idle.len();
        while index > 0 {
            index -= 1;
            let connection = idle.get(index)?;
            if connection.send.is_closed() || outlived(connection.born, settings) {
                idle.swap_remove(index);
            } else if connection.send.is_ready() {
                return Some(idle.remove(index));
            }
        }
        None
    }

    /// A new connection, or one that somebody else gives back first when no more may be opened.
    pub(super) async fn lease_new_http1(
        self: &Rc<Self>,
        settings: &ClusterSettings,
        endpoint: &Endpoint,
    ) -> Result<Lease, Failure> {
        let _pending = self.count_pending(settings)?;
        loop {
            if let Some(counted) = self.count_connection(settings) {
                let connecting = super::connect(settings, endpoint).await;
                let stream =
                    connecting.inspect_err(|failure| self.note_connect_failure(failure))?;
                let local = stream.local_addr().ok();
                let (send, connection) = Builder::new()
                    .max_header_size(MAX_HEAD_BYTES)
                    .handshake(TokioIo::new(stream))
                    .await
                    .map_err(|_error| Failure::Protocol)?;
                tokio::task::spawn_local(async move {
                    // Errors reach the request that was on the connection.
                    drop(connection.with_upgrades().await);
                    drop(counted);
                });
                let now = Instant::now();
                let connection = Connection {
                    send,
                    local,
                    born: now,
                    idle_since: Cell::new(now),
                    left: settings.max_requests_per_connection.unwrap_or(u32::MAX),
                };
                return Ok(Lease::http1(self, connection, false));
            }
            let (waiter, given) = oneshot::channel();
            self.waiting.borrow_mut().push_back(waiter);
            if let Ok(Some(connection)) = given.await
                && !connection.send.is_closed()
            {
                return Ok(Lease::http1(self, connection, true));
            }
            if let Some(connection) = self.idle_http1(settings) {
                return Ok(Lease::http1(self, connection, true));
            }
        }
    }

    /// Takes a connection back whose answer was read to its end.
    pub(super) fn give_back(&self, mut connection: Connection, now: Instant) {
        connection.left = connection.left.saturating_sub(1);
        if connection.left == 0 || connection.send.is_closed() {
            return;
        }
        connection.idle_since.set(now);
        let mut given = Some(connection);
        while let Some(waiter) = self.waiting.borrow_mut().pop_front() {
            match waiter.send(given.take()) {
                Ok(()) => return,
                Err(back) => given = back,
            }
        }
        if let Some(connection) = given {
            self.idle.borrow_mut().push(connection);
        }
    }
}

fn outlived(born: Instant, settings: &ClusterSettings) -> bool {
    settings.max_connection_duration.is_some_and(|limit| born.elapsed() >= limit)
}
