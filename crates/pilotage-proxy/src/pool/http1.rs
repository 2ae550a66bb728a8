//! HTTP/1.1 connections: one request at a time each; the one used last is used next.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use pilotage_engine::cluster::ClusterSettings;
use pilotage_engine::endpoint::Endpoint;
use tokio::sync::oneshot;

use super::{Counted, EndpointPool, Lease};
use crate::failure::Failure;
use crate::http1::{Settings, Upstream};
use crate::transport::Transport;

/// A connection and what is known of it. Boxed wherever it goes, because it goes far: from the pool to the body of the
/// answer and back, with every request.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) upstream: Upstream,
    pub(super) transport: Transport,
    born: Instant,
    /// When it last became idle; set without reading a clock where nobody will ask.
    idle_since: Cell<Instant>,
    /// Requests that it may still take.
    left: u32,
    _counted: Counted,
}

impl Connection {
    /// Whether it is worth keeping.
    pub(super) fn keep(&mut self, now: Instant, idle_timeout: Duration) -> bool {
        self.upstream.is_quiet()
            && now.saturating_duration_since(self.idle_since.get()) < idle_timeout
    }
}

impl EndpointPool {
    /// The idle connection that was used last. Closed ones on the way are dropped.
    pub(super) fn idle_http1(&self, settings: &ClusterSettings) -> Option<Box<Connection>> {
        loop {
            let mut connection = self.idle.borrow_mut().pop()?;
            if connection.upstream.is_quiet() && !outlived(connection.born, settings) {
                return Some(connection);
            }
        }
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
                let connecting = super::connect(settings, endpoint, &self.security).await;
                let stream =
                    connecting.inspect_err(|failure| self.note_connect_failure(failure))?;
                let transport = Transport::of(&stream);
                let now = Instant::now();
                let connection = Connection {
                    upstream: Upstream::new(stream, Settings::towards(settings)),
                    transport,
                    born: now,
                    idle_since: Cell::new(now),
                    left: settings.max_requests_per_connection.unwrap_or(u32::MAX),
                    _counted: counted,
                };
                return Ok(Lease::http1(self, Box::new(connection), false));
            }
            let (waiter, given) = oneshot::channel();
            self.waiting.borrow_mut().push_back(waiter);
            if let Ok(Some(mut connection)) = given.await
                && connection.upstream.is_quiet()
            {
                return Ok(Lease::http1(self, connection, true));
            }
            if let Some(connection) = self.idle_http1(settings) {
                return Ok(Lease::http1(self, connection, true));
            }
        }
    }

    /// Takes a connection back whose answer was read to its end. It is of no use when its request was not sent to the
    /// end, or one of the sides wants to close it.
    pub(super) fn give_back(&self, mut connection: Box<Connection>, now: Instant) {
        connection.left = connection.left.saturating_sub(1);
        if connection.left == 0 || !connection.upstream.finish() {
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
