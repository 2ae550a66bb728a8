//! HTTP/2 connections: shared by many requests.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use pilotage_engine::cluster::ClusterSettings;
use pilotage_engine::endpoint::Endpoint;

use super::{EndpointPool, Lease};
use crate::failure::Failure;
use crate::http::RequestBody;
use crate::worker::LocalExecutor;

/// Largest response head, Envoy's default.
const MAX_HEAD_BYTES: u32 = 60 * 1024;

/// Streams that one connection is given at once. The HTTP/2 recommendation for what a server should at least allow:
/// what the server does allow is known to the codec only.
const MAX_STREAMS: u32 = 100;

/// A connection and what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) send: SendRequest<RequestBody>,
    pub(super) local: Option<SocketAddr>,
    born: Instant,
    usage: Rc<Usage>,
}

/// Streams of one connection.
#[derive(Debug)]
struct Usage {
    active: Cell<u32>,
    /// Streams that it may still take.
    left: Cell<u32>,
    last_used: Cell<Instant>,
}

/// One stream in the count of its connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Stream(Rc<Usage>);

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get().saturating_sub(1));
    }
}

impl Connection {
    /// Whether it is worth keeping.
    pub(super) fn keep(&self, now: Instant, idle_timeout: Duration) -> bool {
        let busy = self.usage.active.get() > 0;
        if busy {
            self.usage.last_used.set(now);
        }
        let idle = now.saturating_duration_since(self.usage.last_used.get());
        !self.send.is_closed() && (busy || idle < idle_timeout)
    }

    /// Whether it takes one more stream.
    fn has_room(&self) -> bool {
        self.usage.active.get() < MAX_STREAMS
    }

    fn is_spent(&self, settings: &ClusterSettings) -> bool {
        self.send.is_closed()
            || self.usage.left.get() == 0
            || settings.max_connection_duration.is_some_and(|limit| self.born.elapsed() >= limit)
    }

    pub(super) fn begin(&self) -> Stream {
        self.usage.active.set(self.usage.active.get() + 1);
        self.usage.left.set(self.usage.left.get().saturating_sub(1));
        Stream(Rc::clone(&self.usage))
    }
}

impl EndpointPool {
    /// A stream on a shared connection. Requests that come while one is being made wait for it together.
    pub(super) async fn lease_new_http2(
        self: &Rc<Self>,
        settings: &ClusterSettings,
        endpoint: &Endpoint,
    ) -> Result<Lease, Failure> {
        let _pending = self.count_pending(settings)?;
        loop {
            if self.dialing.get() {
                let watched = self.dial_result.borrow().0;
                self.dialed.notified().await;
                let result = self.dial_result.borrow();
                if result.0 != watched
                    && let Some(failure) = &result.1
                {
                    return Err(failure.clone());
                }
            } else {
                self.dial_http2(settings, endpoint).await?;
            }
            if let Some(connection) = self.shared_http2(settings) {
                return Ok(Lease::http2(connection));
            }
        }
    }

    pub(super) fn shared_http2(&self, settings: &ClusterSettings) -> Option<Connection> {
        let mut shared = self.shared.borrow_mut();
        shared.retain(|connection| !connection.is_spent(settings));
        shared.iter().find(|connection| connection.has_room()).cloned()
    }

    async fn dial_http2(
        self: &Rc<Self>,
        settings: &ClusterSettings,
        endpoint: &Endpoint,
    ) -> Result<(), Failure> {
        // Ends the dial for those who wait, also when this request is given up while it dials.
        struct Dialing<'p>(&'p EndpointPool, Option<Failure>);
        impl Drop for Dialing<'_> {
            fn drop(&mut self) {
                let mut result = self.0.dial_result.borrow_mut();
                *result = (result.0 + 1, self.1.take());
                self.0.dialing.set(false);
                self.0.dialed.notify_waiters();
            }
        }
        self.dialing.set(true);
        let mut dialing = Dialing(self, None);
        let result = self.connect_http2(settings, endpoint).await;
        dialing.1 = result.as_ref().err().cloned();
        result
    }

    async fn connect_http2(
        self: &Rc<Self>,
        settings: &ClusterSettings,
        endpoint: &Endpoint,
    ) -> Result<(), Failure> {
        let counted = self.count_connection(settings).ok_or_else(|| self.overflow())?;
        let stream = super::connect(settings, endpoint, &self.security)
            .await
            .inspect_err(|failure| self.note_connect_failure(failure))?;
        let local = stream.local_addr().ok();
        let (send, connection) = Builder::new(LocalExecutor)
            .max_header_list_size(MAX_HEAD_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_error| Failure::Protocol)?;
        tokio::task::spawn_local(async move {
            // Errors reach the requests that were on the connection.
            drop(connection.await);
            drop(counted);
        });
        let now = Instant::now();
        let usage = Rc::new(Usage {
            active: Cell::new(0),
            left: Cell::new(settings.max_requests_per_connection.unwrap_or(u32::MAX)),
            last_used: Cell::new(now),
        });
        self.shared.borrow_mut().push(Connection { send, local, born: now, usage });
        Ok(())
    }
}
