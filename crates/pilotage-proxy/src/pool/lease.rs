//! One request's hold on an upstream connection.

use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{Response, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::{EndpointPool, http1, http2};
use crate::failure::Failure;
use crate::http::{BodyError, Outgoing, RequestBody};

/// A connection while a request is on it: the request goes out by [`Lease::send`], the body of its answer comes in by
/// [`Lease::poll_frame`]. Dropping it before [`Lease::finish`] gives the connection up.
#[derive(Debug)]
pub(crate) struct Lease {
    held: Held,
    /// The body of the answer, once its head has come.
    body: Option<Incoming>,
}

#[derive(Debug)]
enum Held {
    Http1 { pool: Rc<EndpointPool>, connection: http1::Connection, reused: bool },
    Http2 { connection: http2::Connection, stream: http2::Stream },
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
        Self { held: Held::Http1 { pool: Rc::clone(pool), connection, reused }, body: None }
    }

    pub(super) fn http2(connection: http2::Connection) -> Self {
        let stream = connection.begin();
        Self { held: Held::Http2 { connection, stream }, body: None }
    }

    /// The proxy's end of the connection.
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        match &self.held {
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
        let unsendable = || SendError { failure: Failure::Protocol, unsent: true, reused: false };
        let response = match &mut self.held {
            Held::Http1 { connection, reused, .. } => {
                let request = head.into_request(Version::HTTP_11, body).ok_or_else(unsendable)?;
                let sent = connection.send.try_send_request(request).await;
                sent.map_err(|error| send_error(&error, *reused))?
            }
            Held::Http2 { connection, .. } => {
                let request = head.into_request(Version::HTTP_2, body).ok_or_else(unsendable)?;
                let sent = connection.send.try_send_request(request).await;
                sent.map_err(|error| send_error(&error, true))?
            }
        };
        let (parts, body) = response.into_parts();
        self.body = Some(body);
        Ok(Response::from_parts(parts, ()))
    }

    /// The next part of the answer's body. After an error or `None` there is no more.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        Pin::new(body).poll_frame(cx).map_err(|error| BodyError::Broken(error.into()))
    }

    /// Whether the body of the answer is known to have no further part.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    /// What is known of the number of bytes that are still to come.
    pub(crate) fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }

    /// Says that the answer was read to its end: the connection can be used again.
    pub(crate) fn finish(self, now: Instant) {
        match self.held {
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
