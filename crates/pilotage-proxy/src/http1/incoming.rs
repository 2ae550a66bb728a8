//! What a client sends after the head of its request, and what its connection's task shares with whoever reads it.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Version;
use http_body::{Frame, SizeHint};
use pilotage_engine::header_names::HeaderNames;

use super::decoder::{Decoder, Piece};
use super::encoder;
use super::framing::Framing;
use super::stream::Stream;
use crate::http::{AnswerHead, BodyError};

/// What is read ahead of a request that nobody reads yet, or of the next one, while an answer is awaited: a client
/// that leaves is noticed only by reading.
const READ_AHEAD_BYTES: usize = 16 * 1024;

/// A client's connection: its task writes answers, the exchange reads the body.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) stream: Stream,
    /// Reads the body of the request that is being answered.
    pub(super) decoder: Decoder,
    /// Somebody reads the body.
    started: bool,
    /// The client has ended its direction, as it may after a change of protocol.
    ended: bool,
    /// The client broke off, or sends what is no body.
    pub(super) gone: bool,
    /// Trailers are passed on.
    trailers: bool,
}

impl Side {
    pub(super) fn new(stream: Stream, trailers: bool) -> Self {
        Self {
            stream,
            decoder: Decoder::new(Framing::Empty),
            started: false,
            ended: false,
            gone: false,
            trailers,
        }
    }

    /// A request begins whose body ends as `framing` says.
    pub(super) fn begin(&mut self, framing: Framing) {
        self.decoder = Decoder::new(framing);
        self.started = false;
    }

    /// Whether the client has left, which is worth knowing while an answer is awaited.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> bool {
        // Whoever reads the body learns it first. A socket wakes only the last who asked.
        if self.ended || (self.started && !self.decoder.is_done()) {
            return self.gone;
        }
        while !self.gone && self.stream.input.len() < READ_AHEAD_BYTES {
            match self.stream.poll_fill(cx) {
                Poll::Pending => return false,
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => self.gone = true,
            }
        }
        self.gone
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.started = true;
        loop {
            match self.decoder.decode(&mut self.stream.input) {
                Ok(Piece::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Piece::Trailers(_unwanted)) if !self.trailers => return Poll::Ready(None),
                Ok(Piece::Trailers(trailers)) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                Ok(Piece::End) => return Poll::Ready(None),
                Ok(Piece::More) => match ready!(self.stream.poll_fill(cx)) {
                    Ok(1..) => {}
                    Ok(0) if self.decoder.end_of_input() => {
                        self.ended = true;
                        return Poll::Ready(None);
                    }
                    Ok(0) => {
                        self.gone = true;
                        return Poll::Ready(Some(Err(BodyError::Ended)));
                    }
                    Err(error) => {
                        self.gone = true;
                        return Poll::Ready(Some(Err(BodyError::Broken(error.into()))));
                    }
                },
                Err(error) => return Poll::Ready(Some(Err(BodyError::Malformed(error)))),
            }
        }
    }
}

/// The body of a request, read from the client's connection by whoever asks for it.
#[derive(Debug)]
pub(crate) struct ClientBody(pub(super) Rc<RefCell<Side>>);

impl ClientBody {
    /// As [`crate::http::Incoming::poll_frame`].
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0.borrow_mut().poll_frame(cx)
    }

    /// As [`crate::http::Incoming::is_end_stream`].
    pub(crate) fn is_end_stream(&self) -> bool {
        self.0.borrow().decoder.is_done()
    }

    /// As [`crate::http::Incoming::size_hint`].
    pub(crate) fn size_hint(&self) -> SizeHint {
        self.0.borrow().decoder.left().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// Where interim answers go.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(super) side: Rc<RefCell<Side>>,
    pub(super) version: Version,
    pub(super) names: HeaderNames,
}

impl Waiting {
    /// Tells the client. The connection's task writes it when it runs next, before anything else.
    pub(crate) fn tell(&self, head: &AnswerHead) {
        let output = &mut self.side.borrow_mut().stream.output;
        if output.has_room() {
            encoder::interim(head, self.version, self.names, output);
        }
    }
}
