//! What is sent on a stream.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::Body;

use crate::http::BodyError;

/// Sends a body on a stream. A part is asked for only when the peer has room for some of it, so that a slow reader
/// slows down whoever writes.
#[derive(Debug)]
pub(crate) struct Pump<B> {
    stream: SendStream<Bytes>,
    body: B,
    /// What the peer is told when the body breaks off.
    broken: Reason,
    /// Whether something was sent. The first part goes without asking for room: a short body is sent whole at once.
    begun: bool,
    /// Whether the peer has no room.
    blocked: bool,
}

/// Why a body was not sent to its end.
#[derive(Debug)]
pub(crate) enum PumpError {
    /// The peer is gone.
    Gone,
    /// The peer does not want it.
    Reset,
    /// The body broke off. The peer was told.
    Body(BodyError),
}

impl<B: Body<Data = Bytes, Error = BodyError> + Unpin> Pump<B> {
    /// For a stream whose head was sent. Should `body` break off, the stream is reset for the reason `broken`.
    pub(crate) fn new(stream: SendStream<Bytes>, body: B, broken: Reason) -> Self {
        Self { stream, body, broken, begun: false, blocked: false }
    }

    /// Sends what there is. Ready when the stream has ended.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PumpError>> {
        loop {
            self.blocked = true;
            if self.begun {
                ready!(self.poll_room(cx))?;
            }
            self.blocked = false;
            let Poll::Ready(next) = Pin::new(&mut self.body).poll_frame(cx) else {
                return self.stream.poll_reset(cx).map(|reset| match reset {
                    Ok(_reason) => Err(PumpError::Reset),
                    Err(_gone) => Err(PumpError::Gone),
                });
            };
            let frame = match next {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    self.stream.send_reset(self.broken);
                    return Poll::Ready(Err(PumpError::Body(error)));
                }
                None => return Poll::Ready(self.send(cx, Bytes::new(), true)),
            };
            match frame.into_data() {
                Ok(data) => {
                    let last = self.body.is_end_stream();
                    if last || !data.is_empty() {
                        self.send(cx, data, last)?;
                    }
                    if last {
                        return Poll::Ready(Ok(()));
                    }
                }
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    let sent = self.stream.send_trailers(trailers);
                    return Poll::Ready(sent.map_err(|_refused| self.refused(cx)));
                }
            }
        }
    }

    /// The body, while it is not asked for anything because the peer has no room.
    pub(crate) fn blocked(&mut self) -> Option<&mut B> {
        self.blocked.then_some(&mut self.body)
    }

    fn send(&mut self, cx: &mut Context<'_>, data: Bytes, last: bool) -> Result<(), PumpError> {
        self.begun = true;
        self.stream.send_data(data, last).map_err(|_refused| self.refused(cx))
    }

    /// Why nothing can be sent any more.
    fn refused(&mut self, cx: &mut Context<'_>) -> PumpError {
        match self.stream.poll_reset(cx) {
            Poll::Ready(Ok(_reason)) => PumpError::Reset,
            Poll::Ready(Err(_)) | Poll::Pending => PumpError::Gone,
        }
    }

    /// Ready when the peer takes at least one more byte.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PumpError>> {
        self.stream.reserve_capacity(1);
        while self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(Err(self.refused(cx))),
            }
        }
        Poll::Ready(Ok(()))
    }
}
