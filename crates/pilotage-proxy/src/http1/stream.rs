//! A connection with its buffers, on either side.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::MessageError;
use super::output::Output;
use super::scan::{Limits, Scanner};
use crate::transport::Connection;

/// Room for a read: most heads fit.
const READ_BYTES: usize = 4 * 1024;
/// Room for a read in the middle of a large body.
const MAX_READ_BYTES: usize = 64 * 1024;

/// A connection with its buffers.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) connection: Connection,
    /// What was read and not yet understood.
    pub(crate) input: BytesMut,
    pub(crate) output: Output,
    scanner: Scanner,
    /// Room for the next read: grows while reads fill it.
    room: usize,
}

impl Stream {
    /// A stream on `connection`, of which `first` was read already.
    pub(crate) fn new(connection: Connection, first: BytesMut) -> Self {
        Self {
            connection,
            input: first,
            output: Output::default(),
            scanner: Scanner::default(),
            room: READ_BYTES,
        }
    }

    /// Whether there is nothing to be read and nothing to be written, as far as is known.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.input.is_empty() && self.output.is_empty() && self.connection.is_quiet()
    }

    /// Reads more. 0: the other side has ended.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        ready!(self.connection.poll_readable(cx));
        // Nothing is allocated as long as others hold no part of the buffer: then its memory is used again.
        self.input.reserve(self.room);
        let before = self.input.capacity() - self.input.len();
        let count = ready!(pin!(self.connection.read_buf(&mut self.input)).poll(cx))?;
        if count >= before {
            self.room = (self.room * 2).min(MAX_READ_BYTES);
        }
        Poll::Ready(Ok(count))
    }

    /// Writes what is to be written.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let mut connection = Pin::new(&mut self.connection);
            let parts = self.output.parts();
            let written = match &parts {
                [buffer, data, after] if data.is_empty() && after.is_empty() => {
                    connection.as_mut().poll_write(cx, buffer)
                }
                parts => connection.as_mut().poll_write_vectored(cx, parts),
            };
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.output.advance(count),
            }
        }
        // Sockets write at once; TLS may hold something back.
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    /// Ends our direction.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }

    /// Looks for a whole head in what was read, and lets `parse` say what it is.
    pub(super) fn head<T>(
        &mut self,
        limits: Limits,
        parse: impl FnOnce(&Scanner, &Bytes) -> Result<T, MessageError>,
    ) -> Result<Option<T>, MessageError> {
        let Some(end) = self.scanner.scan(&self.input, limits)? else { return Ok(None) };
        let head = self.input.split_to(end).freeze();
        let parsed = parse(&self.scanner, &head);
        self.scanner.reset();
        parsed.map(Some)
    }

    /// Nothing is under way any more. Gives back memory that only a large message needed, and says whether the
    /// connection is clean: nothing has been read that nobody asked for.
    pub(crate) fn rest(&mut self) -> bool {
        self.shrink();
        self.input.is_empty() && self.output.is_empty()
    }

    /// Gives back memory that only a large message needed.
    pub(super) fn shrink(&mut self) {
        self.room = READ_BYTES;
        if self.input.is_empty() && self.input.capacity() > 4 * READ_BYTES {
            self.input = BytesMut::new();
        }
    }
}
