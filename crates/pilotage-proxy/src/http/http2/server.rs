//! HTTP/2 client connections.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::header::{CONNECTION, EXPECT};
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body::Body;
use pilotage_engine::http_manager::HttpManager;
use pilotage_engine::response_flag::details;
use tokio::io::{AsyncRead, AsyncWrite};

use super::extended;
use super::head_watch::HeadSince;
use super::streams::{Desk, Streams};
use super::{CONNECTION_WINDOW_BYTES, Http2Body, KeepAlive, Pump, SEND_BUFFER_BYTES};
use super::{PumpError, STREAM_WINDOW_BYTES};
use crate::drain::Open;
use crate::http::body::{Incoming, ResponseBody};
use crate::http::client::Client;
use crate::http::exchange;
use crate::http::head::{AnswerHead, Head};
use crate::http::interim::Interim;
use crate::http::keeping::Keeper;
use crate::http::tail::Tail;

/// Streams that a client may have open at once, Envoy's default.
const MAX_STREAMS: u32 = 1024;
/// Largest head of a request, Envoy's default.
const MAX_HEAD_BYTES: u32 = 60 * 1024;
/// Headers that a request may have, Envoy's default.
const MAX_HEADERS: u32 = 100;
/// Names that begin with a colon.
const PSEUDO_HEADERS: usize = 5;
/// Turns before the worker's other tasks get theirs.
const TURNS: usize = 32;

/// A request, and where its answer goes.
type Job = (Request<RecvStream>, SendResponse<Bytes>);

/// Serves `stream`, on which the client speaks HTTP/2, until it closes. `watch` tells of heads that do not end.
///
/// # Errors
/// Why the connection ended, unless both sides were done with it.
pub(in crate::http) async fn serve<S>(
    client: &Rc<Client>,
    stream: S,
    manager: Option<&HttpManager>,
    watch: Option<HeadSince>,
    keeper: Keeper,
    open: &Open,
) -> Result<(), h2::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let options = manager.map(|manager| manager.http2).unwrap_or_default();
    let head_bytes = manager.map(|manager| manager.max_request_headers_bytes);
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(options.max_concurrent_streams.unwrap_or(MAX_STREAMS))
        .initial_window_size(options.stream_window_bytes.unwrap_or(STREAM_WINDOW_BYTES))
        .initial_connection_window_size(
            options.connection_window_bytes.unwrap_or(CONNECTION_WINDOW_BYTES),
        )
        .max_header_list_size(head_bytes.unwrap_or(MAX_HEAD_BYTES))
        .max_send_buffer_size(SEND_BUFFER_BYTES);
    if options.allow_connect {
        builder.enable_connect_protocol();
    }
    let mut handshake = pin!(builder.handshake::<_, Bytes>(stream));
    let shaken = poll_fn(|cx| match open.should_close(cx) {
        true => Poll::Ready(None),
        false => handshake.as_mut().poll(cx).map(Some),
    });
    // Who has not even said hello when the worker drains is sent away.
    let Some(mut connection) = shaken.await.transpose()? else { return Ok(()) };
    let keepalive = options
        .keepalive
        .and_then(|settings| connection.ping_pong().map(|pings| KeepAlive::new(pings, settings)));
    let most_headers = manager.map_or(MAX_HEADERS, |manager| manager.max_headers_count);
    let rules = Rules {
        most_headers: usize::try_from(most_headers).unwrap_or(usize::MAX),
        interim: manager.is_none_or(|manager| manager.proxy_100_continue),
    };
    let hire = |desk| work(Rc::clone(client), desk, rules);
    let mut serving = Serving {
        connection,
        keepalive,
        keeper,
        watch,
        ending: false,
        streams: Streams::new(hire),
    };
    poll_fn(|cx| serving.poll(cx, open)).await
}

/// What holds for every stream of a connection.
#[derive(Clone, Copy, Debug)]
struct Rules {
    /// Headers that a request may have.
    most_headers: usize,
    /// Interim answers of upstreams may be passed on.
    interim: bool,
}

/// What a client is to be told before the answer to the request that is being served.
type Due = Rc<RefCell<Vec<AnswerHead>>>;

/// Serves one stream after another.
async fn work(client: Rc<Client>, desk: Desk<Job>, rules: Rules) -> Infallible {
    let due = Due::default();
    loop {
        let (request, mut respond) = desk.next().await;
        if has_more_headers(&request, rules.most_headers) {
            respond.send_reset(Reason::INTERNAL_ERROR);
            let tail = Tail::new(Rc::clone(&client), Instant::now(), Version::HTTP_2, false);
            client.reset(Some("http2.too_many_headers"), || drop(tail));
            continue;
        }
        due.take();
        serve_stream(&client, request, respond, &due, rules.interim).await;
    }
}

struct Serving<S, F, H> {
    connection: Connection<S, Bytes>,
    keepalive: Option<KeepAlive>,
    keeper: Keeper,
    watch: Option<HeadSince>,
    /// The client was told that the connection ends.
    ending: bool,
    streams: Streams<Job, F, H>,
}

impl<S, F, H> Serving<S, F, H>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Infallible>,
    H: Fn(Desk<Job>) -> F,
{
    fn poll(&mut self, cx: &mut Context<'_>, open: &Open) -> Poll<Result<(), h2::Error>> {
        if open.should_close(cx) {
            self.end();
        }
        for _ in 0..TURNS {
            // The connection comes last, and writes what all the streams had to say at once.
            let turn = self.streams.run();
            if turn.connection
                && let Poll::Ready(result) = self.poll_connection()
            {
                return Poll::Ready(result);
            }
            if !turn.any {
                let idle = self.streams.is_idle();
                if idle && self.is_late(cx) {
                    return self.break_off(Reason::ENHANCE_YOUR_CALM);
                }
                if !self.ending && self.keeper.poll_drain(cx, idle) {
                    self.end();
                } else if self.ending && self.keeper.poll_drained(cx, idle) {
                    // The client has not even confirmed that it heard of the end, or does not hang up.
                    return self.break_off(Reason::NO_ERROR);
                } else if self.streams.sleep(cx.waker()) {
                    return Poll::Pending;
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether a head has been arriving for too long.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let since = self.watch.as_ref().and_then(|watch| watch.get());
        since.is_some_and(|since| self.keeper.poll_late(cx, since))
    }

    /// Closes the connection without waiting for anything.
    fn break_off(&mut self, reason: Reason) -> Poll<Result<(), h2::Error>> {
        self.connection.abrupt_shutdown(reason);
        match self.poll_connection() {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => Poll::Ready(Ok(())),
        }
    }

    /// Tells the client that no further streams are wanted.
    fn end(&mut self) {
        self.ending = true;
        self.connection.graceful_shutdown();
        self.streams.connection_waker().wake_by_ref();
    }

    /// Reads and writes frames, and begins new streams.
    fn poll_connection(&mut self) -> Poll<Result<(), h2::Error>> {
        let waker = self.streams.connection_waker().clone();
        let mut cx = Context::from_waker(&waker);
        if let Some(keepalive) = &mut self.keepalive
            && keepalive.poll_missed(&mut cx).is_ready()
        {
            return Poll::Ready(Ok(()));
        }
        loop {
            match std::task::ready!(self.connection.poll_accept(&mut cx)) {
                Some(Ok(job)) => {
                    self.keeper.begin();
                    self.streams.begin(job);
                }
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// Whether a request has more than `most` headers, with those that begin with a colon, as in Envoy.
fn has_more_headers(request: &Request<RecvStream>, most: usize) -> bool {
    let headers = request.headers();
    if headers.len() + PSEUDO_HEADERS <= most {
        return false;
    }
    let uri = request.uri();
    let pseudo = [
        true,
        uri.scheme().is_some(),
        uri.authority().is_some(),
        uri.path_and_query().is_some(),
        request.extensions().get::<h2::ext::Protocol>().is_some(),
    ];
    let pseudo = pseudo.into_iter().filter(|there| *there).count();
    headers.len() + pseudo > most
}

/// One request and its answer. Ends early when the client resets the stream.
async fn serve_stream(
    client: &Rc<Client>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    due: &Due,
    interim: bool,
) {
    let (mut parts, stream) = request.into_parts();
    let expects = |expect: &HeaderValue| expect.as_bytes().eq_ignore_ascii_case(b"100-continue");
    let expects_continue = parts.headers.get(EXPECT).is_some_and(expects);
    let interim = (expects_continue || interim).then(|| Interim::Http2(Rc::clone(due)));
    let upgrade = extended::into_upgrade(&mut parts);
    let body = match stream.is_end_stream() && !upgrade {
        true => None,
        false => Some(Incoming::Http2(Box::new(Http2Body::new(stream, &parts.headers)))),
    };
    let response = {
        let head = Box::new(Head { upgrade, expects_continue, interim, ..Head::of(parts) });
        let mut answering = pin!(Some(exchange::handle(Rc::clone(client), head, body)));
        poll_fn(|cx| {
            let Some(polled) = answering.as_mut().as_pin_mut().map(|future| future.poll(cx)) else {
                return Poll::Ready(None);
            };
            for head in due.take() {
                let mut interim = Response::new(());
                *interim.status_mut() = head.status;
                *interim.headers_mut() = head.headers.into();
                // Fails when the client is gone, which shows below.
                respond.send_informational(interim).ok();
            }
            match polled {
                Poll::Ready(response) => Poll::Ready(Some(response)),
                Poll::Pending => respond.poll_reset(cx).map(|reset| {
                    let reason = reset.ok().map(|_reason| details::REMOTE_RESET);
                    client.reset(reason, || answering.set(None));
                    None
                }),
            }
        })
        .await
    };
    if let Some((mut head, body)) = response {
        if upgrade {
            extended::into_answer(&mut head);
        }
        answer(client, respond, head, body).await;
    }
}

async fn answer(
    client: &Client,
    mut respond: SendResponse<Bytes>,
    mut head: AnswerHead,
    body: ResponseBody,
) {
    // There is no such thing in HTTP/2.
    head.headers.remove(CONNECTION);
    let mut response = Response::new(());
    *response.status_mut() = head.status;
    *response.headers_mut() = HeaderMap::from(head.headers);
    let ended = body.is_end_stream();
    match respond.send_response(response, ended) {
        Ok(_ended) if ended => {}
        Ok(stream) => {
            let mut pump = Pump::new(stream, body, Reason::INTERNAL_ERROR);
            let pumped = poll_fn(|cx| {
                let polled = pump.poll(cx);
                if polled.is_pending()
                    && let Some(body) = pump.blocked()
                {
                    // A client that does not read may still be sending.
                    body.poll_upload(cx);
                }
                polled
            });
            match pumped.await {
                Ok(()) | Err(PumpError::Gone) => {}
                Err(PumpError::Reset) => {
                    client.reset(Some(details::REMOTE_RESET), || drop(pump));
                }
                Err(PumpError::Body(error)) => {
                    tracing::debug!(%error, "an answer broke off");
                }
            }
        }
        Err(error) => {
            tracing::debug!(%error, "an answer cannot be sent");
            respond.send_reset(Reason::INTERNAL_ERROR);
        }
    }
}
