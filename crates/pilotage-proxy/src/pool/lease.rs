//! One request's hold on an upstream connection.

use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::{EndpointPool, http1, http2};
use crate::failure::Failure;
use crate::http::{AnswerHead, BodyError, Outgoing, RequestBody};
use crate::transport::Transport;

/// A connection while a request is on it: the request goes out by [`Lease::begin`], its answer comes in by
/// [`Lease::poll_head`] and [`Lease::poll_frame`]. Dropping it before [`Lease::finish`] gives the connection up.
#[derive(Debug)]
pub(crate) struct Lease(Held);

#[derive(Debug)]
enum Held {
    Http1 { pool: Rc<EndpointPool>, connection: Box<http1::Connection>, reused: bool },
    Http2(Box<http2::Stream>),
}

/// A request that was not answered.
#[derive(Clone, Debug)]
pub(crate) struct SendError {
    /// Why.
    pub(crate) failure: Failure,
    /// The request provably never left: it can go to another connection without counting as a retry.
    pub(crate) unsent: bool,
    /// The connection had carried requests before: the upstream may just have closed it for being idle.
    pub(crate) reused: bool,
}

impl Lease {
    pub(super) fn http1(
        pool: &Rc<EndpointPool>,
        connection: Box<http1::Connection>,
        reused: bool,
    ) -> Self {
        let pool = Rc::clone(pool);
        Self(Held::Http1 { pool, connection, reused })
    }

    pub(super) fn http2(connection: &http2::Connection) -> Self {
        Self(Held::Http2(Box::new(connection.begin())))
    }

    /// What is below.
    pub(crate) fn transport(&self) -> &Transport {
        match &self.0 {
            Held::Http1 { connection, .. } => &connection.transport,
            Held::Http2(stream) => &stream.transport,
        }
    }

    /// Begins a request. Whether it can be sent shows when its answer is asked for.
    pub(crate) fn begin(&mut self, head: Outgoing, body: RequestBody) {
        match &mut self.0 {
            Held::Http1 { connection, .. } => connection.upstream.begin(head, body),
            Held::Http2(stream) => stream.begin(head, body),
        }
    }

    /// Sends the request, and waits for the head of the answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<AnswerHead, SendError>> {
        match &mut self.0 {
            Held::Http1 { connection, reused, .. } => {
                let upstream = &mut connection.upstream;
                upstream.poll_head(cx).map_err(|failure| SendError {
                    failure,
                    unsent: upstream.is_unsent(),
                    reused: *reused,
                })
            }
            Held::Http2(stream) => stream.poll_head(cx),
        }
    }

    /// Whether an interim answer has come that is meant for the client.
    pub(crate) fn has_hinted(&self) -> bool {
        match &self.0 {
            Held::Http1 { connection, .. } => connection.upstream.has_hinted(),
            Held::Http2(stream) => stream.has_hinted(),
        }
    }

    /// Both sides have changed to another protocol: from here on `body` is sent as it comes, and the answer's body is
    /// what comes back.
    pub(crate) fn tunnel(&mut self, body: RequestBody) {
        match &mut self.0 {
            Held::Http1 { connection, .. } => connection.upstream.tunnel(body),
            Held::Http2(stream) => stream.tunnel(body),
        }
    }

    /// Goes on sending the request while nothing of the answer is wanted.
    pub(crate) fn poll_upload(&mut self, cx: &mut Context<'_>) {
        match &mut self.0 {
            Held::Http1 { connection, .. } => connection.upstream.poll_upload_only(cx),
            Held::Http2(stream) => stream.poll_upload(cx),
        }
    }

    /// The next part of the answer's body. After an error or `None` there is no more.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Held::Http1 { connection, .. } => connection.upstream.poll_frame(cx),
            Held::Http2(stream) => stream.poll_frame(cx),
        }
    }

    /// Whether the body of the answer is known to have no further part.
    pub(crate) fn is_end_stream(&self) -> bool {
        match &self.0 {
            Held::Http1 { connection, .. } => connection.upstream.is_end_stream(),
            Held::Http2(stream) => stream.is_end_stream(),
        }
    }

    /// What is known of the number of bytes that are still to come.
    pub(crate) fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Held::Http1 { connection, .. } => connection.upstream.size_hint(),
            Held::Http2(stream) => stream.size_hint(),
        }
    }

    /// Says that the answer was read to its end: the connection can be used again.
    pub(crate) fn finish(self, now: Instant) {
        match self.0 {
            Held::Http1 { pool, connection, .. } => pool.give_back(connection, now),
            Held::Http2(stream) => drop(stream),
        }
    }
}
