//! The client's body as several attempts see it: the first streams it, later ones first get what the earlier ones
//! had, then the rest.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use super::body::{BodyError, Incoming};
use super::mirrors::{self, CopyBody, CopySender};

/// What is kept of a body for further attempts at most, Envoy's default for a connection's buffer. A longer body
/// cannot be sent again.
const KEEP_BYTES: usize = 1024 * 1024;

/// The client's body and what was read of it.
#[derive(Debug)]
pub(crate) struct Source(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    /// `None` once nobody reads it any more.
    incoming: Option<Incoming>,
    frames: Vec<Bytes>,
    trailers: Option<HeaderMap>,
    /// When the whole body had been read.
    ended_at: Option<Instant>,
    /// Whether `frames` is everything that was read.
    complete: bool,
    kept_bytes: usize,
    /// Body bytes read from the client.
    received: u64,
    /// Somebody wants to know when something was read.
    watched: bool,
    /// When something was read last, if somebody wants to know.
    read_at: Option<Instant>,
    /// The attempt that may read.
    attempt: u32,
    /// Wakes the attempt that waits for more.
    reader: Option<Waker>,
    /// Mirrors that get what is read.
    copies: Vec<CopySender>,
}

/// The body as one attempt sends it.
#[derive(Debug)]
pub(crate) struct Replay {
    state: Rc<RefCell<State>>,
    attempt: u32,
    next: usize,
    trailers_sent: bool,
    size: SizeHint,
}

impl Source {
    /// Keeps what is read only when `may_retry`.
    pub(crate) fn new(incoming: Incoming, may_retry: bool) -> Self {
        Self(Rc::new(RefCell::new(State {
            incoming: Some(incoming),
            frames: Vec::new(),
            trailers: None,
            ended_at: None,
            complete: may_retry,
            kept_bytes: 0,
            received: 0,
            watched: false,
            read_at: None,
            attempt: 0,
            reader: None,
            copies: Vec::new(),
        })))
    }

    /// A body that gets everything that is read from now on.
    pub(super) fn copy(&self) -> CopyBody {
        let (sender, body) = mirrors::copy();
        self.0.borrow_mut().copies.push(sender);
        body
    }

    /// The body for the next attempt; the one before reads no more. `None` when it cannot be sent again.
    pub(crate) fn next_attempt(&self) -> Option<Replay> {
        let mut state = self.0.borrow_mut();
        let untouched = state.received == 0 && state.ended_at.is_none();
        if state.attempt > 0 && !state.complete && !untouched {
            return None;
        }
        state.give_up_attempt();
        let size = if state.ended_at.is_some() || !state.frames.is_empty() {
            // What is left is known only together with what was kept.
            let rest =
                if state.ended_at.is_some() { SizeHint::with_exact(0) } else { state.rest_hint() };
            match rest.exact() {
                Some(rest) => SizeHint::with_exact(rest + state.kept_bytes as u64),
                None => SizeHint::default(),
            }
        } else {
            state.rest_hint()
        };
        let attempt = state.attempt;
        let state = Rc::clone(&self.0);
        Some(Replay { state, attempt, next: 0, trailers_sent: false, size })
    }

    /// Notes from now on when something is read.
    pub(super) fn watch(&self) {
        self.0.borrow_mut().watched = true;
    }

    /// When something was read last, since it is [watched](Source::watch).
    pub(super) fn read_at(&self) -> Option<Instant> {
        self.0.borrow().read_at
    }

    /// Whether a further attempt could send the body.
    pub(crate) fn can_repeat(&self) -> bool {
        let state = self.0.borrow();
        state.complete || (state.received == 0 && state.ended_at.is_none())
    }

    /// No further attempt will come: nothing more is kept.
    pub(crate) fn forget(&self) {
        let mut state = self.0.borrow_mut();
        state.complete = false;
        // The attempt that is running may still have to read what was kept: it took the frames by index.
        if state.attempt <= 1 {
            state.frames = Vec::new();
        }
    }

    /// The request is over. What the client did not send yet is not wanted any more.
    pub(crate) fn abandon(&self) {
        let mut state = self.0.borrow_mut();
        if state.ended_at.is_none() {
            state.incoming = None;
            state.copies.clear();
            state.give_up_attempt();
        }
    }

    /// Body bytes read from the client so far.
    pub(crate) fn received(&self) -> u64 {
        self.0.borrow().received
    }

    /// When the whole body had been read, if it has.
    pub(crate) fn ended_at(&self) -> Option<Instant> {
        self.0.borrow().ended_at
    }
}

impl Replay {
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let state = &mut *self.state.borrow_mut();
        if state.attempt != self.attempt {
            return Poll::Ready(Some(Err(BodyError::GivenUp)));
        }
        if self.attempt > 1
            && let Some(frame) = state.frames.get(self.next)
        {
            self.next += 1;
            return Poll::Ready(Some(Ok(Frame::data(frame.clone()))));
        }
        if state.ended_at.is_some() {
            return Poll::Ready(match &state.trailers {
                Some(trailers) if !self.trailers_sent => {
                    self.trailers_sent = true;
                    Some(Ok(Frame::trailers(trailers.clone())))
                }
                _ => None,
            });
        }
        let Some(incoming) = &mut state.incoming else {
            return Poll::Ready(Some(Err(BodyError::GivenUp)));
        };
        let polled = incoming.poll_frame(cx);
        match &polled {
            Poll::Pending => state.wait(cx),
            Poll::Ready(None) => state.end(),
            Poll::Ready(Some(Err(_))) => state.complete = false,
            Poll::Ready(Some(Ok(frame))) => {
                state.note(frame);
                self.next = state.frames.len();
                self.trailers_sent = frame.is_trailers();
            }
        }
        polled
    }

    pub(super) fn is_end_stream(&self) -> bool {
        let state = self.state.borrow();
        let kept_left = self.attempt > 1 && self.next < state.frames.len();
        let trailers_left = state.trailers.is_some() && !self.trailers_sent;
        let read = state.incoming.as_ref().is_some_and(Incoming::is_end_stream);
        (state.ended_at.is_some() || read) && !kept_left && !trailers_left
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.size
    }
}

impl State {
    fn note(&mut self, frame: &Frame<Bytes>) {
        if self.watched {
            self.read_at = Some(Instant::now());
        }
        self.copies.retain(|copy| copy.push(frame));
        if let Some(data) = frame.data_ref() {
            self.received += data.len() as u64;
            if self.complete {
                self.kept_bytes += data.len();
                self.frames.push(data.clone());
                if self.kept_bytes > KEEP_BYTES {
                    self.complete = false;
                    if self.attempt <= 1 {
                        self.frames = Vec::new();
                    }
                }
            }
        } else if let Some(trailers) = frame.trailers_ref() {
            self.end();
            if self.complete {
                self.trailers = Some(trailers.clone());
            }
        }
        if self.incoming.as_ref().is_some_and(Incoming::is_end_stream) {
            self.end();
        }
    }

    fn rest_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(SizeHint::default, Incoming::size_hint)
    }

    fn wait(&mut self, cx: &Context<'_>) {
        if !self.reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
            self.reader = Some(cx.waker().clone());
        }
    }

    /// The attempt that reads now gets no more, and its connection closes.
    fn give_up_attempt(&mut self) {
        self.attempt += 1;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn end(&mut self) {
        self.ended_at.get_or_insert_with(Instant::now);
        for copy in self.copies.drain(..) {
            copy.end();
        }
    }
}
