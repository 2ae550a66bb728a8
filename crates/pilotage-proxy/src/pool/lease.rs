//! One request's hold on an upstream connection.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use http::{Request, Response};
use hyper::body::Incoming;

use super::{EndpointPool, http1, http2};
use crate::failure::Failure;
use crate::http::RequestBody;

/// A connection while a request is on it. Dropping it before [`Lease::finish`] gives the connection up.
#[derive(Debug)]
pub(crate) struct Lease(Held);

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
    /// The request, when it provably never left: it can go to another connection without counting as a retry.
    pub(crate) unsent: Option<Box<Request<RequestBody>>>,
    /// The connection had carried requests before: the upstream may just have closed it for being idle.
    pub(crate) reused: bool,
}

impl Lease {
    pub(super) fn http1(
        pool: &Rc<EndpointPool>,
        connection: http1::Connection,
        reused: bool,
    ) -> Self {
        Self(Held::Http1 { pool: Rc::clone(pool), connection, reused })
    }

    pub(super) fn http2(connection: http2::Connection) -> Self {
        let stream = connection.begin();
        Self(Held::Http2 { connection, stream })
    }

    /// The proxy's end of the connection.
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        match &self.0 {
            Held::Http1 { connection, .. } => connection.local,
            Held::Http2 { connection, .. } => connection.local,
        }
    }

    /// Sends `request` and waits for the head of the answer.
    pub(crate) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, SendError> {
        match &mut self.0 {
            Held::Http1 { connection, reused, .. } => {
                let sent = connection.send.try_send_request(request).await;
                sent.map_err(|error| send_error(error, *reused))
            }
            Held::Http2 { connection, .. } => {
                let sent = connection.send.try_send_request(request).await;
                sent.map_err(|error| send_error(error, true))
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

fn send_error(
    mut error: hyper::client::conn::TrySendError<Request<RequestBody>>,
    reused: bool,
) -> SendError {
    let unsent = error.take_message().map(Box::new);
    SendError { failure: classify(error.error()), unsent, reused }
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
