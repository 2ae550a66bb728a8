//! Copying bytes between two streams, both ways, each way until its end.
//!
//! No memory is held for a connection over which nothing flows: bytes are read into a buffer that all connections of a
//! worker share, and only what the other side does not take at once is kept.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;
use tokio::time::{Instant, Sleep};

use super::Duplex;

/// What one read takes at most.
const BUFFER_BYTES: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER_BYTES]);
}

/// When a connection is closed though nobody has ended it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    /// After this time without a byte in either direction.
    pub(super) idle: Option<Duration>,
    /// Then.
    pub(super) until: Option<Instant>,
}

/// How copying ended.
#[derive(Debug)]
pub(super) enum End {
    /// Both sides have ended.
    Complete,
    /// Nothing flowed for too long.
    Idle,
    /// The connection has reached its age.
    TooOld,
    /// The client's connection broke.
    ClientBroken(io::Error),
    /// The upstream's connection broke.
    UpstreamBroken(io::Error),
}

/// Bytes on their way between a client and an upstream.
#[derive(Debug)]
pub(super) struct Copying {
    to_upstream: Half,
    to_client: Half,
    limits: Limits,
}

/// One direction.
#[derive(Debug, Default)]
struct Half {
    /// Read, and not written yet.
    kept: BytesMut,
    /// The source has ended.
    ended: bool,
    /// The sink knows.
    told: bool,
    /// Something was written and not flushed.
    unflushed: bool,
    copied: u64,
}

/// Which side of a direction broke.
enum Broken {
    Source(io::Error),
    Sink(io::Error),
}

impl Copying {
    /// Copying that begins with `first`, read from the client before.
    pub(super) fn new(first: BytesMut, limits: Limits) -> Self {
        let to_upstream = Half { kept: first, ..Half::default() };
        Self { to_upstream, to_client: Half::default(), limits }
    }

    /// Copies until the end. `passed` is told how many bytes came from the client and went to it.
    pub(super) async fn run(
        mut self,
        client: &mut dyn Duplex,
        upstream: &mut dyn Duplex,
        passed: impl Fn(u64, u64),
    ) -> End {
        let mut idle = self.limits.idle.map(Idle::new);
        let mut age = self.limits.until.map(|until| Box::pin(tokio::time::sleep_until(until)));
        poll_fn(|cx| {
            let before = (self.to_upstream.copied, self.to_client.copied);
            let end = self.poll(cx, client, upstream);
            let received = self.to_upstream.copied - before.0;
            let sent = self.to_client.copied - before.1;
            if received + sent > 0 {
                passed(received, sent);
                if let Some(idle) = &mut idle {
                    idle.since = Instant::now();
                }
            }
            if let Poll::Ready(end) = end {
                return Poll::Ready(end);
            }
            if age.as_mut().is_some_and(|age| age.as_mut().poll(cx).is_ready()) {
                return Poll::Ready(End::TooOld);
            }
            match &mut idle {
                Some(idle) => idle.poll(cx).map(|()| End::Idle),
                None => Poll::Pending,
            }
        })
        .await
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut dyn Duplex,
        upstream: &mut dyn Duplex,
    ) -> Poll<End> {
        let to_upstream = match self.to_upstream.poll(cx, client, upstream) {
            Poll::Ready(Err(Broken::Source(error))) => {
                return Poll::Ready(End::ClientBroken(error));
            }
            Poll::Ready(Err(Broken::Sink(error))) => {
                return Poll::Ready(End::UpstreamBroken(error));
            }
            Poll::Ready(Ok(())) => true,
            Poll::Pending => false,
        };
        match self.to_client.poll(cx, upstream, client) {
            Poll::Ready(Err(Broken::Source(error))) => Poll::Ready(End::UpstreamBroken(error)),
            Poll::Ready(Err(Broken::Sink(error))) => Poll::Ready(End::ClientBroken(error)),
            Poll::Ready(Ok(())) if to_upstream => Poll::Ready(End::Complete),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Half {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut dyn Duplex,
        sink: &mut dyn Duplex,
    ) -> Poll<Result<(), Broken>> {
        loop {
            while !self.kept.is_empty() {
                let written = ready!(Pin::new(&mut *sink).poll_write(cx, &self.kept));
                let count = taken(written).map_err(Broken::Sink)?;
                self.kept.advance(count);
                self.note(count);
            }
            self.kept = BytesMut::new(); // Gives the memory back.
            if self.told {
                return Poll::Ready(Ok(()));
            }
            if self.ended {
                ready!(Pin::new(&mut *sink).poll_shutdown(cx)).map_err(Broken::Sink)?;
                self.told = true;
                continue;
            }
            match self.move_once(cx, source, sink) {
                Poll::Ready(result) => result?,
                Poll::Pending => return self.flush(cx, sink),
            }
        }
    }

    /// Nothing more can be moved now; what was written has to get out.
    fn flush(&mut self, cx: &mut Context<'_>, sink: &mut dyn Duplex) -> Poll<Result<(), Broken>> {
        if self.unflushed {
            let flushed = Pin::new(sink).poll_flush(cx);
            self.unflushed = flushed.is_pending();
            if let Poll::Ready(Err(error)) = flushed {
                return Poll::Ready(Err(Broken::Sink(error)));
            }
        }
        Poll::Pending
    }

    /// Reads once, and writes as much of it as the sink takes; keeps the rest.
    fn move_once(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut dyn Duplex,
        sink: &mut dyn Duplex,
    ) -> Poll<Result<(), Broken>> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut read = ReadBuf::new(buffer);
            ready!(Pin::new(source).poll_read(cx, &mut read)).map_err(Broken::Source)?;
            let mut rest = read.filled();
            self.ended = rest.is_empty();
            while !rest.is_empty() {
                match Pin::new(&mut *sink).poll_write(cx, rest) {
                    Poll::Ready(written) => {
                        let count = taken(written).map_err(Broken::Sink)?;
                        rest = rest.get(count..).unwrap_or_default();
                        self.note(count);
                    }
                    Poll::Pending => {
                        self.kept.extend_from_slice(rest);
                        return Poll::Pending;
                    }
                }
            }
            Poll::Ready(Ok(()))
        })
    }

    fn note(&mut self, count: usize) {
        self.copied += count as u64;
        self.unflushed = true;
    }
}

fn taken(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        other => other,
    }
}

/// The time since the last byte. The timer is set again only when it has run out, not with every byte.
struct Idle {
    timeout: Duration,
    since: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Idle {
    fn new(timeout: Duration) -> Self {
        let since = Instant::now();
        Self { timeout, since, sleep: Box::pin(tokio::time::sleep(timeout)) }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            let until = self.since + self.timeout;
            if until <= Instant::now() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(until);
        }
    }
}

#[cfg(test)]
mod tests;
