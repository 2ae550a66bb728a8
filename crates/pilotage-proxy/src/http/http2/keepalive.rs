//! Pings that find out whether a peer is still there.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use h2::{Ping, PingPong};
use pilotage_engine::http2_options::Http2Keepalive;
use tokio::time::{Instant, Sleep};

/// Sends a ping every so often, and misses the answer after a while.
#[derive(Debug)]
pub(crate) struct KeepAlive {
    pings: PingPong,
    settings: Http2Keepalive,
    /// Until the next ping; while an answer is awaited, until it is missed.
    sleep: Pin<Box<Sleep>>,
    awaited: bool,
}

impl KeepAlive {
    /// Pings by `pings` as `settings` say.
    pub(crate) fn new(pings: PingPong, settings: Http2Keepalive) -> Self {
        let sleep = Box::pin(tokio::time::sleep(settings.interval));
        Self { pings, settings, sleep, awaited: false }
    }

    /// Ready when the peer did not answer in time.
    pub(crate) fn poll_missed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.awaited && self.pings.poll_pong(cx).is_ready() {
                self.awaited = false;
                self.sleep.as_mut().reset(Instant::now() + self.settings.interval);
            }
            std::task::ready!(self.sleep.as_mut().poll(cx));
            if self.awaited {
                return Poll::Ready(());
            }
            // Fails only while another ping is under way, and when the connection is closing anyhow.
            self.pings.send_ping(Ping::opaque()).ok();
            self.awaited = true;
            self.sleep.as_mut().reset(Instant::now() + self.settings.timeout);
        }
    }
}
