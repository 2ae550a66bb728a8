//! What becomes of a request, exactly: every destination that chance may choose, each asked for.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::header::{HOST, HeaderName, LOCATION};
use pilotage_engine::forward::{Exchange, Forward};
use pilotage_engine::forwarded;
use pilotage_engine::headers::Headers;
use pilotage_engine::http_manager::HttpManager;
use pilotage_engine::local_reply::LocalReply;
use pilotage_engine::request::{RequestHead, UpstreamHead};
use pilotage_engine::response_flag::{ResponseFlags, details};
use pilotage_engine::route::{RouteAction, RouteEntry};
use pilotage_engine::virtual_host::VirtualHost;
use pilotage_engine::{Decision, Env, Tables, Trace};
use pilotage_explain::passage::HttpEnd;
use pilotage_explain::{Arrival, End, Request, carry};

/// A number that only certain draws include: what is drawn by it happens to all requests or to none.
const UNLIKELY: u64 = 999_999;

/// What becomes of a request.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The route that takes it.
    pub(super) route: Option<Arc<RouteEntry>>,
    /// Where it may go, in the order of the rule.
    pub(super) branches: Vec<Branch>,
    /// What the proxy answers itself: always, or where no branch is.
    pub(super) answer: Option<Answer>,
    /// Why there is neither, in words.
    pub(super) nothing: Option<String>,
}

/// A destination that chance may choose.
#[derive(Debug)]
pub(super) struct Branch {
    /// Name of the cluster.
    pub(super) cluster: String,
    /// Its share in percent.
    pub(super) percent: f64,
    /// What happens there.
    pub(super) result: Result<Sent, Answer>,
}

/// A request on its way upstream, and the answer on its way back.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) path: String,
    pub(super) host: String,
    pub(super) request_headers: Headers,
    pub(super) response_headers: Headers,
    pub(super) timeout: Option<Duration>,
}

/// An answer of the proxy.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) body: String,
    pub(super) location: Option<String>,
    pub(super) flags: String,
    pub(super) details: String,
}

/// The chance of one run: the request's own number, by which routes draw clusters, is chosen; nothing else happens
/// unless it always happens.
#[derive(Default)]
struct Chance {
    point: u64,
    /// The next number drawn is the request's own.
    due: Cell<bool>,
}

/// Notices when the request's own number is due: once its virtual host is known.
struct Listener<'c>(&'c Chance);

impl Trace for Listener<'_> {
    fn virtual_host(&mut self, _: &str, _: Option<&VirtualHost>) {
        self.0.due.set(true);
    }
}

/// Puts `request` to the proxy that `tables` belong to. `upstream` are headers that the upstream answers with.
pub(super) fn outcome(
    tables: &Tables,
    arrival: &Arrival,
    request: &Request,
    upstream: &[(HeaderName, HeaderValue)],
) -> Outcome {
    let first = run(tables, arrival, request, upstream, 0);
    let Some(RouteAction::Forward(action)) = first.route.as_deref().map(|route| &route.action)
    else {
        return first;
    };
    let always = |answer: &Answer| {
        answer.details != details::CLUSTER_NOT_FOUND && answer.details != details::VIA_UPSTREAM
    };
    if first.answer.as_ref().is_some_and(always) || first.nothing.is_some() {
        return first;
    }
    let shares: Vec<(String, u64)> =
        action.shares().map(|(cluster, weight)| (cluster.name.to_string(), weight)).collect();
    let total: u64 = shares.iter().map(|(_, weight)| weight).sum();
    let mut point = 0;
    let mut all = Outcome { route: first.route.clone(), ..Outcome::default() };
    for (cluster, weight) in shares {
        if weight > 0 {
            let mut told = run(tables, arrival, request, upstream, point);
            let result = match (told.branches.pop(), told.answer) {
                (Some(branch), _) => branch.result,
                (None, Some(answer)) => Err(answer),
                (None, None) => continue,
            };
            #[expect(clippy::cast_precision_loss, reason = "weights of people")]
            let percent = weight as f64 * 100.0 / total as f64;
            all.branches.push(Branch { cluster, percent, result });
        }
        point += weight;
    }
    // A header names the cluster: there is nothing to draw.
    if all.branches.is_empty() { first } else { all }
}

/// One run, in which routes draw `point`.
fn run(
    tables: &Tables,
    arrival: &Arrival,
    request: &Request,
    upstream: &[(HeaderName, HeaderValue)],
    point: u64,
) -> Outcome {
    let chance = Chance { point, ..Chance::default() };
    let mut rng = || if chance.due.replace(false) { chance.point } else { UNLIKELY };
    let mut env = Env { now: Duration::ZERO, unix_time: Duration::ZERO, rng: &mut rng };
    let passage = carry(tables, arrival, request, &mut env, &mut Listener(&chance));
    let nothing = |why: String| Outcome { nothing: Some(why), ..Outcome::default() };
    match passage.end {
        End::Http(end) => http(*end, request, upstream),
        End::NoListener => nothing(format!("nothing listens at {}", arrival.destination)),
        End::NoFilterChain => nothing(format!(
            "the listener of {} has no filter chain for such a connection",
            arrival.destination
        )),
        End::Closed => nothing("the connection is closed".to_owned()),
        End::NoCertificate(_) => nothing("a client certificate is demanded".to_owned()),
        End::UnknownMethod => {
            let flags = ResponseFlags::DOWNSTREAM_PROTOCOL_ERROR.to_string();
            let details = "http1.codec_error".to_owned();
            let body = "Bad Request".to_owned();
            let answer = Answer {
                status: 400,
                headers: Headers::new(),
                body,
                location: None,
                flags,
                details,
            };
            Outcome { answer: Some(answer), ..Outcome::default() }
        }
        End::NotHttp => nothing("the listener does not expect what is sent".to_owned()),
        End::Tcp(route) => {
            let total: u64 = route.shares().map(|(_, weight)| weight).sum();
            let branches = route.shares().filter(|(_, weight)| *weight > 0);
            let branches = branches.map(|(cluster, weight)| {
                #[expect(clippy::cast_precision_loss, reason = "weights of people")]
                let percent = weight as f64 * 100.0 / total as f64;
                Branch { cluster: cluster.to_string(), percent, result: Ok(bytes()) }
            });
            Outcome { branches: branches.collect(), ..Outcome::default() }
        }
    }
}

/// What is known of bytes that are forwarded as they are.
fn bytes() -> Sent {
    Sent {
        path: String::new(),
        host: String::new(),
        request_headers: Headers::new(),
        response_headers: Headers::new(),
        timeout: None,
    }
}

fn http(end: HttpEnd<'_>, request: &Request, upstream: &[(HeaderName, HeaderValue)]) -> Outcome {
    let HttpEnd { manager, head, decision } = end;
    match decision {
        Decision::Reply(reply) => {
            let route = reply.route.clone();
            let answer = Some(answer(manager, *reply, request));
            Outcome { route, answer, ..Outcome::default() }
        }
        Decision::Forward(forward) => {
            let cluster = forward.cluster.name().to_owned();
            let sent = head.map(|head| head.with(|head| sent(manager, &forward, head, upstream)));
            let result = Ok(sent.unwrap_or_else(bytes));
            Outcome {
                route: Some(Arc::clone(&forward.route)),
                branches: vec![Branch { cluster, percent: 100.0, result }],
                ..Outcome::default()
            }
        }
    }
}

fn sent(
    manager: &HttpManager,
    forward: &Forward,
    head: &RequestHead<'_>,
    upstream: &[(HeaderName, HeaderValue)],
) -> Sent {
    let mut exchange = Exchange {
        attempts: 1,
        cluster: Some(forward.cluster.name()),
        hostname: "proxy",
        ..Exchange::default()
    };
    let mut request_headers = head.headers.clone();
    request_headers.remove(HOST);
    let mut changed = UpstreamHead {
        method: head.method,
        scheme: head.scheme,
        path: head.path.into(),
        authority: head.authority.into(),
        headers: &mut request_headers,
    };
    forward.apply_request_headers(&mut changed, head, &exchange);
    let (path, host) = (changed.path.into_owned(), changed.authority.into_owned());
    let mut response_headers = Headers::new();
    for (name, value) in upstream {
        response_headers.append(name.clone(), value.clone());
    }
    exchange.status = Some(200);
    exchange.details = details::VIA_UPSTREAM;
    forward.apply_response_headers(&mut response_headers, head, &exchange);
    forwarded::finish(manager, &mut response_headers, head.headers);
    let timeout = forward.timeouts.global;
    Sent { path, host, request_headers, response_headers, timeout }
}

fn answer(manager: &HttpManager, reply: LocalReply, request: &Request) -> Answer {
    let (flags, details) = (reply.flags.to_string(), reply.details.to_string());
    let is_grpc = pilotage_engine::request::is_grpc(&request.headers);
    let told = reply.into_answer(is_grpc, request.method == http::Method::HEAD);
    let mut headers = told.headers;
    forwarded::finish(manager, &mut headers, &request.headers);
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = String::from_utf8_lossy(&told.body).into_owned();
    Answer { status: told.status.as_u16(), headers, body, location, flags, details }
}
