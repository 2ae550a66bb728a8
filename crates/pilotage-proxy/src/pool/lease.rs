//! One request's hold on an upstream connection.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::{EndpointPool, http1, http2};
use crate::failure::Failure;
use crate::http::{BodyError, Outgoing, RequestBody};

/// A connection while a request is on it: the request goes out by [`Lease::send`], the body of its answer comes in by
/// [`Lease::poll_frame`]. Dropping it before [`Lease::finish`] gives the connection up.
#[derive(Debug)]
pub(crate) struct Lease(Held);

#[derive(Debug)]
enum Held {
    Http1 {
        pool: Rc<EndpointPool>,
        connection: http1::Connection,
        reused: bool,
    },
    Http2 {
        connection: http2::Connection,
        stream: http2::Stream,
        /// The body of the answer, once its head has come.
        body: Option<Incoming>,
    },
}

/// A request that was not answered.
#[derive(Debug)]
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
        connection: http1::Connection,
        reused: bool,
    ) -> Self {
        let pool = Rc::clone(pool);
        Self(Held::Http1 { pool, connection, reused })
    }

    pub(super) fn http2(connection: http2::Connection) -> Self {
        let stream = connection.begin();
        Self(Held::Http2 { connection, stream, body: None })
    }

    /// The proxy's end of the connection.
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        match &self.0 {
            Held::Http1 { connection, .. } => connection.local,
            Held::Http2 { connection, .. } => connection.local,
        }
    }

    /// Sends a request and waits for the head of the answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) async fn send(
        &mut self,
        head: Outgoing,
        body: RequestBody,
    ) -> Result<Response<()>, SendError> {
        match &mut self.0 {
            Held::Http1 { connection, reused, .. } => {
                let upstream = &mut *connection.upstream;
                upstream.begin(head, body);
                let answered = poll_fn(|cx| upstream.poll_head(cx)).await;
                answered.map_err(|failure| SendError {
                    failure,
                    unsent: upstream.is_unsent(),
                    reused: *reused,
                })
            }
            Held::Http2 { connection, body: answer, .. } => {
                let unsendable =
                    || SendError { failure: Failure::Protocol, unsent: true, reused: false };
                let request = head.into_http2(body).ok_or_else(unsendable)?;
                let sent = connection.send.try_send_request(request).await;
                let response = sent.map_err(|error| send_error(&error, true))?;
                let (parts, body) = response.into_parts();
                *answer = Some(body);
                Ok(Response::from_parts(parts, ()))
            }
        }
    }

    /// Both sides have changed to another protocol: from here on `body` is sent as it comes, and the answer's body is
    /// what comes back. Only HTTP/1 has that.
    pub(crate) fn tunnel(&mut self, body: RequestBody) {
        if let Held::Http1 { connection, .. } = &mut self.0 {
            connection.upstream.tunnel(body);
        }
    }

    /// Goes on sending the request while nothing of the answer is wanted.
    pub(crate) fn poll_upload(&mut self, cx: &mut Context<'_>) {
        if let Held::Http1 { connection, .. } = &mut self.0 {
            connection.upstream.poll_upload_only(cx);
        }
    }

    /// The next part of the answer's body. After an error or `None` there is no more.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Held::Http1 { connection, .. } => connection.upstream.poll_frame(cx),
            Held::Http2 { body: Some(body), .. } => {
                Pin::new(body).poll_frame(cx).map_err(|error| BodyError::Broken(error.into()))
            }
            Held::Http2 { body: None, .. } => Poll::Ready(None),
        }
    }

    /// Whether the body of the answer is known to have no further part.
    pub(crate) fn is_end_stream(&self) -> bool {
        match &self.0 {
            Held::Http1 { connection, .. } => connection.upstream.is_end_stream(),
            Held::Http2 { body, .. } => body.as_ref().is_none_or(Body::is_end_stream),
        }
    }

    /// What is known of the number of bytes that are still to come.
    pub(crate) fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Held::Http1 { connection, .. } => connection.upstream.size_hint(),
            Held::Http2 { body, .. } => {
                body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
            }
        }
    }

    /// Says that the answer was read to its end: the connection can be used again.
    pub(crate) fn finish(self, now: Instant) {
        match self.0 {
            Held::Http1 { pool, connection, .. } => pool.give_back(connection, now),
            Held::Http2 { stream, .. } => drop(stream),
        }
    }
}

fn send_error<T>(error: &hyper::client::conn::TrySendError<T>, reused: bool) -> SendError {
    SendError { failure: classify(error.error()), unsent: error.message().is_some(), reused }
}

/// Envoy's name for what hyper reports.
fn classify(error: &hyper::Error) -> Failure {
    if let Some(reason) = h2_reason(error) {
        return match reason {
            Reason::Refused => Failure::RefusedStream,
            Reason::Reset => Failure::RemoteReset,
            Reason::Protocol => Failure::Protocol,
            Reason::Gone => Failure::Termination,
        };
    }
    if error.is_parse() {
        return Failure::Protocol;
    }
    if error.is_user() {
        // The only thing of ours that fails while a request is being sent is its body: the client broke off.
        return Failure::Downstream;
    }
    Failure::Termination
}

enum Reason {
    Refused,
    Reset,
    Protocol,
    Gone,
}

fn h2_reason(error: &hyper::Error) -> Option<Reason> {
    let error = std::error::Error::source(error)?.downcast_ref::<h2::Error>()?;
    Some(match error.reason() {
        Some(h2::Reason::REFUSED_STREAM) => Reason::Refused,
        _ if error.is_reset() && error.is_remote() => Reason::Reset,
        Some(_) if error.is_library() => Reason::Protocol,
        _ => Reason::Gone,
    })
}
