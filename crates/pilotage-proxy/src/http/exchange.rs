//! One request from head to answer: where it belongs, what is decided, who answers.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::header::{DATE, EXPECT};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Method, StatusCode, Version};
use pilotage_engine::endpoint::{Endpoint, EndpointAddress};
use pilotage_engine::forward::{Exchange, Forward};
use pilotage_engine::forwarded::{self, Arrived};
use pilotage_engine::headers::Headers;
use pilotage_engine::http_manager::HttpManager;
use pilotage_engine::local_reply::{self, LocalReply};
use pilotage_engine::request::{UpstreamHead, is_grpc};
use pilotage_engine::response_flag::{ResponseFlags, details};
use pilotage_engine::{Decision, Downstream, NoTrace, RequestHead, decide};

use super::attempts::{Answer, Attempts};
use super::body::{Incoming, RequestBody, ResponseBody};
use super::client::Client;
use super::head::{AnswerHead, Head, Outgoing};
use super::interim::Interim;
use super::moment::Moment;
use super::place::Place;
use super::placing;
use super::replay::Source;
use super::tail::{Ending, Facts, Tail};
use crate::access_log::Captured;
use crate::failure::Failure;
use crate::http1::{MessageError, Spelling};
use crate::pool::ClientAddresses;

const BEFORE_RESPONSE: &str = "before_response_started";
const AFTER_RESPONSE: &str = "after_response_started";
/// Room for what routes usually add to the headers of a request.
const ADDED_HEADERS: usize = 4;

/// What every phase of a request looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) client: &'a Rc<Client>,
    pub(super) place: &'a Place,
    pub(super) head: &'a RequestHead<'a>,
    /// The path as it arrived, already parsed.
    pub(super) path: Option<&'a PathAndQuery>,
    /// The authority as it arrived.
    pub(super) authority: Option<&'a HeaderValue>,
    /// The client wants to change to another protocol.
    pub(super) upgrade: bool,
    /// Where interim answers of upstreams go, when they are wanted.
    pub(super) interim: Option<&'a Interim>,
    /// How the names of the request were spelled, where that is remembered.
    pub(super) spelling: Option<&'a Rc<Spelling>>,
    pub(super) moment: Moment,
}

/// Serves one request. `body` is `None` when there is none.
pub(crate) async fn handle(
    client: Rc<Client>,
    mut head: Box<Head>,
    body: Option<Incoming>,
) -> (AnswerHead, ResponseBody) {
    let moment = Moment::now();
    let is_grpc = is_grpc(&head.headers);
    let mut tail = Tail::new(Rc::clone(&client), moment.instant, head.version, is_grpc);
    let tables = client.worker.tables();
    let place = match placing::find(&client, &tables, &head) {
        Ok(place) => place,
        Err(reply) => return Box::pin(answer_unplaced(&head, *reply, tail, is_grpc)).await,
    };
    if let Some(facts) = tail.facts()
        && !place.destination.ip().is_unspecified()
    {
        facts.local = place.destination;
    }
    let mut headers = std::mem::take(&mut head.headers);
    let downstream = downstream(&client, &place);
    if head.expects_continue && !place.manager.proxy_100_continue {
        if let Some(interim) = &head.interim {
            interim.go_on();
        }
        headers.remove(EXPECT);
    }
    let mut arrived = Arrived {
        method: &head.method,
        scheme: head.scheme.as_ref().map(Scheme::as_str),
        authority: head.authority(),
        path: head.path(),
        version: head.version,
        headers: &mut headers,
        downstream: &downstream,
    };
    let manager = &place.manager;
    let prepared =
        client.worker.with_env(moment, |env| forwarded::prepare(manager, &mut arrived, env));
    let (authority, path) = match &prepared {
        Ok(prepared) => (prepared.authority.as_ref(), prepared.path.as_ref()),
        Err(_) => (head.authority().unwrap_or_default(), head.path()),
    };
    let request_head = RequestHead {
        method: &head.method,
        scheme: prepared.as_ref().map_or("http", |prepared| prepared.scheme.as_ref()),
        authority,
        path,
        version: head.version,
        headers: &headers,
        downstream: &downstream,
        client: prepared.as_ref().map_or(client.arrival.source, |prepared| prepared.client),
        metadata: None,
    };
    let context = Context {
        client: &client,
        place: &place,
        head: &request_head,
        path: head.path.as_ref(),
        authority: head.authority.as_ref(),
        upgrade: head.upgrade,
        interim: head.interim.as_ref().filter(|_| manager.proxy_100_continue),
        spelling: head.spelling.as_ref(),
        moment,
    };
    if let Err(reply) = &prepared {
        return Box::pin(context.reply(reply.as_ref().clone(), tail)).await;
    }
    let worker = &client.worker;
    let decision =
        worker.with_env(moment, |env| decide(&tables, manager, &request_head, env, &mut NoTrace));
    match decision {
        Decision::Reply(reply) => Box::pin(context.reply(*reply, tail)).await,
        Decision::Forward(forward) => context.forward(forward, body, tail).await,
    }
}

/// What is known of the connection that the request came by.
fn downstream<'a>(client: &'a Client, place: &Place) -> Downstream<'a> {
    let (peer, local) = (client.arrival.source.ip(), place.destination.ip());
    let (written_for, value) =
        client.forwarded_for.get_or_init(|| (local, forwarded::forwarded_for(peer, local)));
    Downstream {
        forwarded_for: (*written_for == local).then_some(value),
        peer: client.arrival.source,
        local: place.destination,
        tls: client.arrival.tls.is_some(),
        server_name: client.arrival.findings.server_name.as_deref(),
        session: client.arrival.tls.as_deref(),
    }
}

impl Context<'_> {
    /// Whom upstreams are told that the request is from.
    pub(super) fn client_addresses(&self) -> ClientAddresses {
        let (arrival, destination) = (&self.client.arrival, self.place.destination);
        let (source, source_mark) = (arrival.source, arrival.source_mark);
        ClientAddresses { source, destination, source_mark }
    }

    pub(super) fn manager(&self) -> &HttpManager {
        &self.place.manager
    }

    /// Sends the request upstream and its answer back.
    async fn forward(
        &self,
        forward: Box<Forward>,
        body: Option<Incoming>,
        mut tail: Tail,
    ) -> (AnswerHead, ResponseBody) {
        if let Some(facts) = tail.facts() {
            facts.flags.insert(forward.flags);
            facts.route = Some(Arc::clone(&forward.route));
            facts.cluster = Some(Arc::clone(&forward.cluster));
        }
        if let Some(delay) = forward.delay {
            Box::pin(tokio::time::sleep(delay)).await;
        }
        let may_retry = forward.action().is_some_and(|action| action.retries.is_some());
        let body = body.map(|body| Rc::new(Source::new(body, may_retry && !self.upgrade)));
        if let Some(facts) = tail.facts() {
            facts.request_body = body.clone();
        }
        // What comes after a change of protocol is no body of this request.
        let (body, tunnel) = if self.upgrade { (None, body) } else { (body, None) };
        let mut attempts = Attempts::new(self, &forward, body);
        let result = attempts.run(&mut tail).await;
        match result {
            Ok(answer) if answer.head.status == StatusCode::SWITCHING_PROTOCOLS => {
                Box::pin(self.switch(&forward, attempts, answer, tunnel, tail)).await
            }
            Ok(answer) => self.pass_on(&forward, &mut attempts, answer, tail),
            // Nobody is there to be answered.
            Err(Failure::Downstream) => (AnswerHead::default(), ResponseBody::Empty),
            Err(Failure::DownstreamReset) => {
                tail.finish(Instant::now(), Ending::DownstreamReset(details::REMOTE_RESET));
                (AnswerHead::default(), ResponseBody::Empty)
            }
            Err(failure) => {
                let mut reply = failure.reply(attempts.count() > 1);
                if attempts.has_hinted() {
                    // To Envoy, an interim answer is the beginning of the answer.
                    let details = reply.details.replace(BEFORE_RESPONSE, AFTER_RESPONSE);
                    reply.details = details.into();
                }
                // What happened before comes first.
                let flags = tail.facts().map_or(forward.flags, |facts| facts.flags);
                reply.flags = flags | reply.flags;
                attempts.answered(reply.status);
                let exchange = Exchange {
                    attempts: attempts.count(),
                    cluster: Some(&forward.cluster.settings.name),
                    flags: reply.flags,
                    // Envoy knows the status only when the answer is on its way.
                    status: None,
                    details: &reply.details,
                    start: self.moment.unix,
                    hostname: &self.client.worker.hostname,
                    upstream: tail.facts().and_then(|facts| facts.upstream_host.as_ref()?.socket()),
                    bytes_received: tail.facts().map_or(0, |facts| facts.received()),
                    ..Exchange::default()
                };
                // The route's operations hold for answers in the upstream's place too.
                forward.apply_response_headers(&mut reply.headers, self.head, &exchange);
                if let Some(facts) = tail.facts() {
                    facts.transport_failure = failure.transport_reason();
                }
                Box::pin(self.reply(reply, tail)).await
            }
        }
    }

    /// The head that attempt number `attempt` sends to `endpoint`. `None` when it cannot be written in a request.
    pub(super) fn outgoing(
        &self,
        forward: &Forward,
        endpoint: &Endpoint,
        attempt: u32,
    ) -> Option<Outgoing> {
        let mut headers = self.head.headers.clone_with_room(ADDED_HEADERS);
        let exchange = Exchange {
            attempts: attempt,
            upstream: endpoint.address.socket(),
            upstream_tls: None,
            upstream_hostname: (!endpoint.hostname.is_empty()).then_some(&*endpoint.hostname),
            cluster: Some(&forward.cluster.settings.name),
            flags: forward.flags,
            upstream_service_time: None,
            status: None,
            details: "",
            start: self.moment.unix,
            hostname: &self.client.worker.hostname,
            bytes_received: 0,
            elapsed: if attempt > 1 { self.moment.instant.elapsed() } else { Duration::ZERO },
        };
        let mut head = UpstreamHead {
            method: self.head.method,
            scheme: self.head.scheme,
            path: Cow::Borrowed(self.head.path),
            authority: Cow::Borrowed(self.head.authority),
            headers: &mut headers,
        };
        forward.apply_request_headers(&mut head, self.head, &exchange);
        // What stayed as it arrived was parsed already.
        let path = match self.path {
            Some(original) if original.as_str() == head.path => original.clone(),
            _ => PathAndQuery::try_from(head.path.as_ref()).ok()?,
        };
        let renamed = forward.auto_host_rewrite && !endpoint.hostname.is_empty();
        let authority = if renamed { &*endpoint.hostname } else { &*head.authority };
        let authority = match self.authority {
            Some(original) if original.as_bytes() == authority.as_bytes() => original.clone(),
            _ => HeaderValue::from_str(authority).ok()?,
        };
        let scheme = Scheme::try_from(self.head.scheme).ok()?;
        Some(Outgoing {
            method: self.head.method.clone(),
            scheme,
            authority,
            path,
            headers,
            interim: self.interim.cloned(),
            spelling: self.spelling.cloned(),
        })
    }

    /// The head of an upstream's answer as the client gets it.
    fn finish_head(
        &self,
        forward: &Forward,
        attempts: &Attempts<'_>,
        endpoint: &Endpoint,
        head: &mut AnswerHead,
        facts: &mut Facts,
    ) {
        let worker = &self.client.worker;
        let status = head.status.as_u16();
        facts.status = status;
        facts.details = details::VIA_UPSTREAM.into();
        facts.attempts = attempts.count();
        facts.note_grpc_status(|name| head.headers.get(name));
        let exchange = Exchange {
            attempts: attempts.count(),
            upstream: facts.upstream_host.as_ref().and_then(EndpointAddress::socket),
            upstream_tls: facts.upstream.as_ref().and_then(|(_, below)| below.tls.as_deref()),
            upstream_hostname: (!endpoint.hostname.is_empty()).then_some(&*endpoint.hostname),
            cluster: Some(&forward.cluster.settings.name),
            flags: facts.flags,
            upstream_service_time: Some(self.moment.instant.elapsed()),
            status: Some(status),
            details: details::VIA_UPSTREAM,
            start: self.moment.unix,
            hostname: &worker.hostname,
            bytes_received: facts.received(),
            elapsed: Duration::ZERO,
        };
        forward.apply_response_headers(&mut head.headers, self.head, &exchange);
        forwarded::finish(self.manager(), &mut head.headers, self.head.headers);
        add_date(&mut head.headers);
        attempts.answered(head.status);
        if let (Some(log), Some(captured)) = (&worker.log, &mut facts.captured) {
            captured.response = log.capture_response(&head.headers);
        }
    }

    fn pass_on(
        &self,
        forward: &Forward,
        attempts: &mut Attempts<'_>,
        answer: Answer,
        mut tail: Tail,
    ) -> (AnswerHead, ResponseBody) {
        let Answer { mut head, lease, active, endpoint } = answer;
        if let Some(facts) = tail.facts() {
            self.finish_head(forward, attempts, &endpoint, &mut head, facts);
            facts.active = Some(active);
        }
        (head, ResponseBody::upstream(lease, attempts.take_limits(), tail))
    }

    /// Both sides change to another protocol: from here on bytes go both ways as they come.
    async fn switch(
        &self,
        forward: &Forward,
        mut attempts: Attempts<'_>,
        mut answer: Answer,
        tunnel: Option<Rc<Source>>,
        tail: Tail,
    ) -> (AnswerHead, ResponseBody) {
        let begun = tunnel.and_then(|source| Some((source.next_attempt()?, source)));
        let Some((tunnel, source)) = begun else {
            let reply = Failure::Protocol.reply(attempts.count() > 1);
            return self.reply(reply, tail).await;
        };
        attempts.switch(&source);
        answer.lease.tunnel(RequestBody::Client(tunnel));
        self.pass_on(forward, &mut attempts, answer, tail)
    }

    /// Answers without an upstream.
    async fn reply(&self, mut reply: LocalReply, mut tail: Tail) -> (AnswerHead, ResponseBody) {
        if let Some(delay) = reply.delay.take() {
            tokio::time::sleep(delay).await;
        }
        if let (Some(log), Some(facts)) = (&self.client.worker.log, tail.facts())
            && facts.captured.is_none()
        {
            facts.captured = Some(Box::new(Captured {
                method: self.head.method.clone(),
                path: self.path.cloned(),
                authority: HeaderValue::from_str(self.head.authority).ok(),
                request: log.capture(self.head.headers),
                response: Vec::new(),
            }));
        }
        respond(reply, tail, self.head.is_grpc(), self.head.method, |headers| {
            forwarded::finish(self.manager(), headers, self.head.headers);
        })
    }
}

async fn answer_unplaced(
    head: &Head,
    mut reply: LocalReply,
    mut tail: Tail,
    is_grpc: bool,
) -> (AnswerHead, ResponseBody) {
    if let Some(delay) = reply.delay.take() {
        tokio::time::sleep(delay).await;
    }
    if let Some(facts) = tail.facts()
        && let Some(log) = &Rc::clone(&facts.client).worker.log
    {
        facts.captured = Some(Box::new(Captured {
            method: head.method.clone(),
            path: head.path.clone(),
            authority: head.authority.clone(),
            request: log.capture(&head.headers),
            response: Vec::new(),
        }));
    }
    respond(reply, tail, is_grpc, &head.method, |_| {})
}

/// Gives `reply`; `finish` does what is done to the headers of every answer here.
fn respond(
    reply: LocalReply,
    mut tail: Tail,
    is_grpc: bool,
    method: &Method,
    finish: impl FnOnce(&mut Headers),
) -> (AnswerHead, ResponseBody) {
    tail.replied(&reply);
    let close = reply.close;
    let local_reply::Answer { status, mut headers, body } =
        reply.into_answer(is_grpc, *method == Method::HEAD);
    tail.finish(Instant::now(), Ending::Complete);
    finish(&mut headers);
    add_date(&mut headers);
    if close {
        headers.insert(http::header::CONNECTION, HeaderValue::from_static("close"));
    }
    (AnswerHead { status, headers, spelling: None }, ResponseBody::Own(body))
}

/// An answer says when it was given; upstreams mostly have said so.
fn add_date(headers: &mut Headers) {
    if !headers.contains_key(DATE)
        && let Ok(now) = HeaderValue::from_str(&httpdate::fmt_http_date(SystemTime::now()))
    {
        headers.insert(DATE, now);
    }
}

/// Answers what is no request.
pub(crate) fn refuse(client: &Rc<Client>, error: MessageError) -> (AnswerHead, ResponseBody) {
    let no_http = |status: StatusCode, details| {
        let text = status.canonical_reason().unwrap_or_default();
        LocalReply::new(status, text, details).with_flags(ResponseFlags::DOWNSTREAM_PROTOCOL_ERROR)
    };
    let late = |text, details| LocalReply::new(StatusCode::REQUEST_TIMEOUT, text, details);
    let too_large = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    let reply = match error {
        MessageError::Malformed => no_http(StatusCode::BAD_REQUEST, "http1.codec_error"),
        MessageError::TooLarge => no_http(too_large, "http1.headers_too_large"),
        MessageError::TooMany => no_http(too_large, "http1.too_many_headers"),
        MessageError::Version => no_http(StatusCode::UPGRADE_REQUIRED, details::LOW_VERSION),
        MessageError::Coding => {
            no_http(StatusCode::NOT_IMPLEMENTED, "http1.invalid_transfer_encoding")
        }
        MessageError::Fragment => {
            LocalReply::new(StatusCode::BAD_REQUEST, "", "path_normalization_failed")
        }
        MessageError::LateHead => late("request header timeout", "request_header_timeout"),
        MessageError::LateRequest => late("request timeout", "request_overall_timeout"),
    };
    let reply = LocalReply { close: true, ..reply };
    let tail = Tail::new(Rc::clone(client), Instant::now(), Version::HTTP_11, false);
    respond(reply, tail, false, &Method::GET, |headers| {
        if let Some(manager) = placing::expected(client, &client.worker.tables()) {
            forwarded::finish(&manager, headers, &Headers::new());
        }
    })
}
