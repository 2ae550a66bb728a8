//! HTTP/2 connections: shared by many requests.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use http::HeaderValue;
use http_body::{Body, Frame, SizeHint};
use pilotage_engine::cluster::ClusterSettings;
use pilotage_engine::endpoint::Endpoint;
use pilotage_engine::http2_options::{Http2Keepalive, Http2Options};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{EndpointPool, Lease, SendError};
use crate::failure::Failure;
use crate::http::{
    AnswerHead, BodyError, CONNECTION_WINDOW_BYTES, Hints, Http2Body, KeepAlive, Outgoing, Pump,
    PumpError, RequestBody, SEND_BUFFER_BYTES, STREAM_WINDOW_BYTES, extended,
};
use crate::transport::Transport;

/// Largest response head, Envoy's default.
const MAX_HEAD_BYTES: u32 = 60 * 1024;

/// A connection and what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    send: SendRequest<Bytes>,
    transport: Transport,
    born: Instant,
    usage: Rc<Usage>,
}

/// Streams of one connection.
#[derive(Debug)]
struct Usage {
    active: Cell<u32>,
    /// Streams that it may still take.
    left: Cell<u32>,
    /// Streams that it may have at once, as far as we say so.
    most: u32,
    /// Headers that an answer may have.
    headers: usize,
    last_used: Cell<Instant>,
}

impl Connection {
    /// Whether it is worth keeping.
    pub(super) fn keep(&mut self, now: Instant, idle_timeout: Duration) -> bool {
        let busy = self.usage.active.get() > 0;
        if busy {
            self.usage.last_used.set(now);
        }
        let idle = now.saturating_duration_since(self.usage.last_used.get());
        !self.is_closed() && (busy || idle < idle_timeout)
    }

    /// Whether it takes no new stream ever again: it is gone, or the upstream has said that it will go.
    fn is_closed(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        matches!(self.send.poll_ready(&mut context), Poll::Ready(Err(_)))
    }

    /// Whether it takes one more stream: as many at once as the upstream has allowed.
    fn has_room(&self) -> bool {
        let active = self.usage.active.get();
        active < self.usage.most
            && usize::try_from(active).is_ok_and(|it| it < self.send.current_max_send_streams())
    }

    fn is_spent(&mut self, settings: &ClusterSettings) -> bool {
        self.usage.left.get() == 0
            || settings.max_connection_duration.is_some_and(|limit| self.born.elapsed() >= limit)
            || self.is_closed()
    }

    /// Takes the place of one more stream.
    pub(super) fn begin(&self) -> Stream {
        self.usage.active.set(self.usage.active.get() + 1);
        self.usage.left.set(self.usage.left.get().saturating_sub(1));
        let (send, usage) = (self.send.clone(), Rc::clone(&self.usage));
        Stream {
            send,
            transport: self.transport.clone(),
            usage: Count(usage),
            request: None,
            tunnel: None,
            awaited: None,
            answer: None,
            hinted: false,
        }
    }
}

/// One stream: a request and its answer. Dropped in the middle, it is reset.
#[derive(Debug)]
pub(super) struct Stream {
    send: SendRequest<Bytes>,
    pub(super) transport: Transport,
    usage: Count,
    /// The rest of the request's body. It may go on when the answer has begun.
    request: Option<Pump<RequestBody>>,
    /// Where bytes go once both sides have changed to another protocol.
    tunnel: Option<SendStream<Bytes>>,
    /// The head of the answer, until it comes; or why there will be none.
    awaited: Option<Result<Awaited, SendError>>,
    answer: Option<Http2Body>,
    /// An interim answer has come.
    hinted: bool,
}

/// The head of an answer that has not come yet.
#[derive(Debug)]
struct Awaited {
    head: ResponseFuture,
    /// The protocol that the request wants to change to.
    switch: Option<HeaderValue>,
    /// Where interim answers go, when they are wanted.
    interim: Hints,
}

impl Awaited {
    fn pass_on_interim(&mut self, cx: &mut Context<'_>) {
        if !self.interim.are_wanted() {
            return;
        }
        // An error comes again with the answer.
        while let Poll::Ready(Some(Ok(answer))) = self.head.poll_informational(cx) {
            let (parts, ()) = answer.into_parts();
            let (status, headers) = (parts.status, parts.headers.into());
            self.interim.pass_on(AnswerHead { status, headers, spelling: None });
        }
    }
}

/// One stream in the count of its connection, until it is dropped.
#[derive(Debug)]
struct Count(Rc<Usage>);

impl Drop for Count {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get().saturating_sub(1));
    }
}

impl Stream {
    /// As [`super::Lease::begin`].
    pub(super) fn begin(&mut self, head: Outgoing, body: RequestBody) {
        self.awaited = Some(self.try_begin(head, body));
    }

    fn try_begin(&mut self, head: Outgoing, body: RequestBody) -> Result<Awaited, SendError> {
        let failed = |failure| SendError { failure, unsent: true, reused: true };
        let switch = extended::wanted(&head.headers);
        let interim = Hints::new(head.interim.clone());
        let mut request = head.into_http2(()).ok_or_else(|| failed(Failure::Protocol))?;
        let bodiless = body.is_end_stream();
        if let Some(protocol) = &switch
            && !extended::into_connect(&mut request, protocol)
        {
            return Err(failed(Failure::Protocol));
        }
        let ended = bodiless && switch.is_none();
        let sent = self.send.send_request(request, ended);
        let (head, stream) = sent.map_err(|_going| failed(Failure::Termination))?;
        if switch.is_some() {
            self.tunnel = Some(stream);
        } else if !bodiless {
            self.request = Some(Pump::new(stream, body, Reason::CANCEL));
        }
        Ok(Awaited { head, switch, interim })
    }

    /// As [`super::Lease::poll_head`].
    pub(super) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<AnswerHead, SendError>> {
        // What was sent may have been looked at: connections say goodbye before they go, so it is not just bad luck.
        let failed = |failure| SendError { failure, unsent: false, reused: false };
        self.poll_request(cx).map_err(|error| failed(error.failure()))?;
        let response = match &mut self.awaited {
            Some(Ok(awaited)) => {
                awaited.pass_on_interim(cx);
                self.hinted = awaited.interim.any();
                ready!(Pin::new(&mut awaited.head).poll(cx))
            }
            Some(Err(error)) => return Poll::Ready(Err(error.clone())),
            None => return Poll::Ready(Err(failed(Failure::Protocol))),
        };
        let (parts, body) = response.map_err(|error| failed(classify(&error)))?.into_parts();
        // Envoy counts the status as well, and resets the stream as if the upstream had.
        if parts.headers.len() >= self.usage.0.headers {
            return Poll::Ready(Err(failed(Failure::RemoteReset)));
        }
        self.answer = Some(Http2Body::new(body, &parts.headers));
        let mut answer =
            AnswerHead { status: parts.status, headers: parts.headers.into(), spelling: None };
        if let Some(protocol) = self.awaited.take().and_then(|awaited| awaited.ok()?.switch) {
            extended::into_switch(&mut answer, protocol);
        }
        Poll::Ready(Ok(answer))
    }

    /// Sends what there is of the request's body.
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Result<(), BodyError> {
        let Some(request) = &mut self.request else { return Ok(()) };
        match request.poll(cx) {
            Poll::Pending => Ok(()),
            // Why the upstream wants no more of it, its answer will tell.
            Poll::Ready(Ok(()) | Err(PumpError::Gone | PumpError::Reset)) => {
                self.request = None;
                Ok(())
            }
            Poll::Ready(Err(PumpError::Body(error))) => {
                self.request = None;
                Err(error)
            }
        }
    }

    /// As [`super::Lease::has_hinted`].
    pub(super) fn has_hinted(&self) -> bool {
        self.hinted
    }

    /// As [`super::Lease::tunnel`].
    pub(super) fn tunnel(&mut self, body: RequestBody) {
        if let Some(stream) = self.tunnel.take() {
            self.request = Some(Pump::new(stream, body, Reason::CANCEL));
        }
    }

    /// As [`super::Lease::poll_upload`].
    pub(super) fn poll_upload(&mut self, cx: &mut Context<'_>) {
        if let Err(error) = self.poll_request(cx) {
            tracing::debug!(%error, "the rest of a request broke off");
        }
    }

    /// The next part of the answer's body, while the rest of the request's goes out.
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Err(error) = self.poll_request(cx) {
            return Poll::Ready(Some(Err(error)));
        }
        match &mut self.answer {
            Some(answer) => answer.poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    /// Whether the body of the answer is known to have no further part.
    pub(super) fn is_end_stream(&self) -> bool {
        self.answer.as_ref().is_none_or(Http2Body::is_end_stream)
    }

    /// What is known of the number of bytes that are still to come.
    pub(super) fn size_hint(&self) -> SizeHint {
        self.answer.as_ref().map_or_else(|| SizeHint::with_exact(0), Http2Body::size_hint)
    }
}

/// Envoy's name for what the codec reports.
fn classify(error: &h2::Error) -> Failure {
    match error.reason() {
        Some(Reason::REFUSED_STREAM) => Failure::RefusedStream,
        // The upstream names the last stream that it looked at, and this one came later.
        Some(_) if error.is_go_away() && error.is_remote() => Failure::RefusedStream,
        Some(_) if error.is_reset() && error.is_remote() => Failure::RemoteReset,
        Some(_) if error.is_library() => Failure::Protocol,
        _ => Failure::Termination,
    }
}

impl EndpointPool {
    /// A stream on a shared connection. Requests that come while one is being made wait for it together.
    pub(super) async fn lease_new_http2(
        self: &Rc<Self>,
        settings: &ClusterSettings,
        endpoint: &Endpoint,
    ) -> Result<Lease, Failure> {
        let _pending = self.count_pending(settings)?;
        loop {
            if self.dialing.get() {
                let watched = self.dial_result.borrow().0;
                self.dialed.notified().await;
                let result = self.dial_result.borrow();
                if result.0 != watched
                    && let Some(failure) = &result.1
                {
                    return Err(failure.clone());
                }
            } else {
                self.dial_http2(settings, endpoint).await?;
            }
            if let Some(connection) = self.shared_http2(settings) {
                return Ok(Lease::http2(&connection));
            }
        }
    }

    pub(super) fn shared_http2(&self, settings: &ClusterSettings) -> Option<Connection> {
        let mut shared = self.shared.borrow_mut();
        shared.retain_mut(|connection| !connection.is_spent(settings));
        shared.iter().find(|connection| connection.has_room()).cloned()
    }

    async fn dial_http2(
        self: &Rc<Self>,
        settings: &ClusterSettings,
        endpoint: &Endpoint,
    ) -> Result<(), Failure> {
        // Ends the dial for those who wait, also when this request is given up while it dials.
        struct Dialing<'p>(&'p EndpointPool, Option<Failure>);
        impl Drop for Dialing<'_> {
            fn drop(&mut self) {
                let mut result = self.0.dial_result.borrow_mut();
                *result = (result.0 + 1, self.1.take());
                self.0.dialing.set(false);
                self.0.dialed.notify_waiters();
            }
        }
        self.dialing.set(true);
        let mut dialing = Dialing(self, None);
        let result = self.connect_http2(settings, endpoint).await;
        dialing.1 = result.as_ref().err().cloned();
        result
    }

    async fn connect_http2(
        self: &Rc<Self>,
        settings: &ClusterSettings,
        endpoint: &Endpoint,
    ) -> Result<(), Failure> {
        let counted = self.count_connection(settings).ok_or_else(|| self.overflow())?;
        let stream = super::connect(settings, endpoint, &self.security)
            .await
            .inspect_err(|failure| self.note_connect_failure(failure))?;
        let transport = Transport::of(&stream);
        let options = &settings.http2;
        let (send, connection) =
            builder(options).handshake(stream).await.map_err(|_error| Failure::Protocol)?;
        let keepalive = options.keepalive;
        tokio::task::spawn_local(async move {
            // Errors reach the requests that were on the connection.
            drop(drive(connection, keepalive).await);
            drop(counted);
        });
        let now = Instant::now();
        let usage = Rc::new(Usage {
            active: Cell::new(0),
            left: Cell::new(settings.max_requests_per_connection.unwrap_or(u32::MAX)),
            most: options.max_concurrent_streams.unwrap_or(u32::MAX),
            headers: usize::try_from(settings.max_headers_count).unwrap_or(usize::MAX),
            last_used: Cell::new(now),
        });
        self.shared.borrow_mut().push(Connection { send, transport, born: now, usage });
        Ok(())
    }
}

fn builder(options: &Http2Options) -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(options.stream_window_bytes.unwrap_or(STREAM_WINDOW_BYTES))
        .initial_connection_window_size(
            options.connection_window_bytes.unwrap_or(CONNECTION_WINDOW_BYTES),
        )
        .max_header_list_size(MAX_HEAD_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES);
    builder
}

/// Reads and writes the frames of a connection until it closes, or its upstream answers no ping.
async fn drive<S>(
    mut connection: h2::client::Connection<S, Bytes>,
    keepalive: Option<Http2Keepalive>,
) -> Result<(), h2::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let pings = keepalive.and_then(|settings| Some((connection.ping_pong()?, settings)));
    let mut keepalive = pings.map(|(pings, settings)| KeepAlive::new(pings, settings));
    poll_fn(|cx| {
        let missed = keepalive.as_mut().is_some_and(|it| it.poll_missed(cx).is_ready());
        if missed { Poll::Ready(Ok(())) } else { Pin::new(&mut connection).poll(cx) }
    })
    .await
}
