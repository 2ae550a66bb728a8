//! Bodies in both directions. They stream: a frame is passed on when it arrives, and asked for when there is room.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};

use super::http2::Http2Body;
use super::limit::{Elapsed, Limits};
use super::mirrors::CopyBody;
use super::replay::Replay;
use super::tail::{Ending, Tail};
use crate::failure::Failure;
use crate::http1::{ClientBody, MessageError};
use crate::pool::Lease;

/// The body of a request as it comes from the client, whichever codec reads it.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// Read from an HTTP/1 connection.
    Http1(ClientBody),
    /// A stream of an HTTP/2 connection. Boxed, as it is much larger than the other.
    Http2(Box<Http2Body>),
}

impl Incoming {
    /// The next part of the body. After an error or `None` there is no more.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self {
            Self::Http1(body) => body.poll_frame(cx),
            Self::Http2(body) => body.poll_frame(cx),
        }
    }

    /// Whether the body is known to have no further part.
    pub(crate) fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }

    /// What is known of the number of bytes that are still to come.
    pub(crate) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
        }
    }
}

/// The body of a request on its way upstream.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// None.
    Empty,
    /// What the client sends, kept for a further attempt as long as one may come.
    Client(Replay),
    /// A copy of what the client sends, for a mirror.
    Copy(CopyBody),
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Client(replay) => replay.poll_frame(cx),
            Self::Copy(copy) => copy.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Client(replay) => replay.is_end_stream(),
            Self::Copy(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Client(replay) => replay.size_hint(),
            Self::Copy(_) => SizeHint::default(),
        }
    }
}

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The other side broke off.
    #[error(transparent)]
    Broken(Box<dyn std::error::Error + Send + Sync>),
    /// The other side ended in the middle.
    #[error("the connection ended in the middle of a body")]
    Ended,
    /// What the other side sends is no body.
    #[error(transparent)]
    Malformed(MessageError),
    /// The other side reset the stream, and only that.
    #[error("the stream was reset")]
    Reset,
    /// A time limit passed.
    #[error("the time limit passed")]
    Timeout,
    /// Another attempt took over; what this one sends does not matter any more.
    #[error("given up for another attempt")]
    GivenUp,
}

impl BodyError {
    /// What becomes of a request whose body cannot be read.
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Malformed(_) => Failure::DownstreamProtocol,
            Self::Reset => Failure::DownstreamReset,
            Self::Broken(_) | Self::Ended | Self::Timeout | Self::GivenUp => Failure::Downstream,
        }
    }
}

/// The body of an answer on its way to the client.
#[derive(Debug)]
pub(crate) enum ResponseBody {
    /// None.
    Empty,
    /// Ours, in one piece.
    Own(Bytes),
    /// The upstream's.
    Upstream(UpstreamBody),
}

/// An upstream's body. The connection goes back to its pool when the end was read, and the request is over when this
/// is. Dropped in the middle, because nobody wants the rest, it gives the connection up.
#[derive(Debug)]
pub(crate) struct UpstreamBody {
    lease: Option<Lease>,
    limits: Limits,
    tail: Option<Tail>,
}

impl ResponseBody {
    /// The upstream's body, with what is to be done when it ends. A body without any byte ends here and now.
    pub(crate) fn upstream(lease: Lease, limits: Limits, tail: Tail) -> Self {
        let ended = lease.is_end_stream();
        let mut body = UpstreamBody { lease: Some(lease), limits, tail: Some(tail) };
        if ended {
            body.finish();
            return Self::Empty;
        }
        Self::Upstream(body)
    }
}

impl ResponseBody {
    /// Goes on with the request, if there is still something of it to be sent, while nothing of the answer is wanted.
    pub(crate) fn poll_upload(&mut self, cx: &mut Context<'_>) {
        if let Self::Upstream(body) = self
            && let Some(lease) = &mut body.lease
        {
            lease.poll_upload(cx);
        }
    }
}

impl UpstreamBody {
    fn finish(&mut self) {
        let now = Instant::now();
        if let Some(lease) = self.lease.take() {
            lease.finish(now);
        }
        if let Some(tail) = self.tail.take() {
            tail.finish(now, Ending::Complete);
        }
    }

    fn fail(&mut self, ending: Ending) {
        drop(self.lease.take());
        if let Some(tail) = self.tail.take() {
            tail.finish(Instant::now(), ending);
        }
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(elapsed) = self.limits.poll_elapsed(cx) {
            self.fail(match elapsed {
                Elapsed::Global | Elapsed::PerTry | Elapsed::PerTryIdle => Ending::Timeout,
                Elapsed::Silence => Ending::Silence,
                Elapsed::Life => Ending::Life,
            });
            return Poll::Ready(Some(Err(BodyError::Timeout)));
        }
        let Some(lease) = &mut self.lease else { return Poll::Ready(None) };
        match ready!(lease.poll_frame(cx)) {
            Some(Ok(frame)) => {
                self.limits.heard();
                if let Some(facts) = self.tail.as_mut().and_then(Tail::facts) {
                    if let Some(data) = frame.data_ref() {
                        facts.bytes_sent += data.remaining() as u64;
                    } else if let Some(trailers) = frame.trailers_ref() {
                        facts.note_grpc_status(|name| trailers.get(name));
                    }
                }
                if frame.is_trailers() || lease.is_end_stream() {
                    self.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                self.fail(match error {
                    BodyError::Reset => Ending::StreamReset,
                    _ => Ending::UpstreamReset,
                });
                Poll::Ready(Some(Err(error)))
            }
            None => {
                self.finish();
                Poll::Ready(None)
            }
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Own(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Own(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Upstream(body) => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Own(bytes) => bytes.is_empty(),
            Self::Upstream(body) => body.lease.as_ref().is_none_or(Lease::is_end_stream),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Own(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Upstream(body) => {
                body.lease.as_ref().map_or_else(|| SizeHint::with_exact(0), Lease::size_hint)
            }
        }
    }
}
