//! An HTTP exchange: head, decision, attempt, answer.

use std::sync::Arc;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, LOCATION, SERVER, TE};
use http::{HeaderValue, Method, StatusCode};
use pilotage_engine::cluster::Discovery;
use pilotage_engine::forward::{Exchange as Progress, Forward, UpstreamFailure};
use pilotage_engine::forwarded;
use pilotage_engine::headers::Headers;
use pilotage_engine::http_manager::HttpManager;
use pilotage_engine::load_balancing::PickContext;
use pilotage_engine::local_reply::{Answer, LocalReply};
use pilotage_engine::request::{RequestHead, UpstreamHead};
use pilotage_engine::route::RouteEntry;
use pilotage_engine::{Decision, Env, Tables};
use pilotage_explain::passage::HttpEnd;
use pilotage_explain::{Arrival, Request};
use serde_json::{Map, Value, json};

use super::{pool, secured, tries};
use crate::vectors::Exchange;

/// Different in every draw, and masked in the recording.
const REQUEST_ID: &str = "x-request-id";

/// The route of an exchange and the client's request, for the outcome's words.
struct Told<'a> {
    tables: &'a Tables,
    arrival: &'a Arrival,
    manager: &'a HttpManager,
    sent: &'a Headers,
    is_grpc: bool,
    is_head: bool,
}

pub(super) fn outcome(
    tables: &Tables,
    end: &HttpEnd<'_>,
    (arrival, request): (&Arrival, &Request),
    exchange: &Exchange,
    env: &mut Env<'_>,
) -> Value {
    let told = Told {
        tables,
        arrival,
        manager: end.manager,
        sent: &request.headers,
        is_grpc: pilotage_engine::request::is_grpc(&request.headers),
        is_head: request.method == Method::HEAD,
    };
    match (&end.decision, &end.head) {
        (Decision::Reply(reply), _) => local(&told, LocalReply::clone(reply), None),
        (Decision::Forward(forward), Some(head)) => {
            head.with(|head| upstream(&told, forward, head, exchange, env))
        }
        (Decision::Forward(_), None) => panic!("a request is forwarded that was never routed"),
    }
}

fn upstream(
    told: &Told<'_>,
    forward: &Forward,
    head: &RequestHead<'_>,
    exchange: &Exchange,
    env: &mut Env<'_>,
) -> Value {
    let context = PickContext {
        original_destination: match forward.cluster.settings.discovery {
            Discovery::DynamicForwardProxy => Some(super::named(head.authority, 80)),
            _ => told.arrival.original_destination(),
        },
        hash: forward.hash,
        ..PickContext::default()
    };
    let limits = &forward.cluster.settings.circuit_breakers;
    if !limits.admit_request(&forward.cluster.state) {
        let reply = forward.failure(UpstreamFailure::Overflow);
        return local(told, reply, Some((forward, head)));
    }
    let Ok(endpoint) = forward.cluster.pick(&context, env) else {
        let reply = forward.failure(UpstreamFailure::NoHealthyUpstream);
        return local(told, reply, Some((forward, head)));
    };
    let mut progress = Progress {
        attempts: 1,
        upstream: endpoint.address.socket(),
        cluster: Some(forward.cluster.name()),
        flags: forward.flags,
        start: env.unix_time,
        hostname: "proxy",
        details: "via_upstream",
        ..Progress::default()
    };
    let mut headers = head.headers.clone();
    headers.remove(HOST);
    let mut upstream_head = UpstreamHead {
        method: head.method,
        scheme: head.scheme,
        path: head.path.into(),
        authority: head.authority.into(),
        headers: &mut headers,
    };
    forward.apply_request_headers(&mut upstream_head, head, &progress);
    let (path, host) = (upstream_head.path.into_owned(), upstream_head.authority.into_owned());
    let base = upstream_response_headers(exchange);
    let mut answer = base.clone();
    progress.status = Some(200);
    progress.upstream_service_time = Some(std::time::Duration::ZERO);
    forward.apply_response_headers(&mut answer, head, &progress);
    forwarded::finish(told.manager, &mut answer, head.headers);
    let mut outcome = json!({
        "status": 200, "handled": "http", "flags": forward.flags.to_string(), "details": "via_upstream",
        "cluster": forward.cluster.name(),
        "upstream_request": {
            "method": head.method.as_str(), "path": path, "host": host, "headers": changes(told.sent, &headers)
        },
        "response": {"headers": changes(&base, &answer)},
        "seen_upstream": all(&headers),
        "seen_downstream": all(&answer),
        "timeout": forward.timeouts.global.map(|limit| format!("{limit:?}")),
        "delayed by": forward.delay.map(|delay| format!("{delay:?}")),
        "mirrors": mirrors(forward),
        "endpoint": endpoint.address.to_string(),
        "retries": tries::told(forward, head, env),
        "pool": pool::told(&forward.cluster.settings),
        "tls": secured::told(&forward.cluster.settings, &endpoint),
        "statistics": statistics(&forward.route),
    });
    add_route(&mut outcome, &forward.route);
    outcome
}

/// What the names of the route's own counters begin with.
fn statistics(route: &RouteEntry) -> Option<String> {
    let prefix = &route.stat_prefix;
    let name = || format!("vhost.{}.route.{prefix}", route.virtual_host.name);
    (!prefix.is_empty()).then(name)
}

/// An answer of our own, with the headers that its route adds.
fn local(
    told: &Told<'_>,
    reply: LocalReply,
    forwarded: Option<(&Forward, &RequestHead<'_>)>,
) -> Value {
    let mut outcome = json!({
        "handled": "http", "flags": reply.flags.to_string(), "details": reply.details.clone(),
        "cluster": reply.cluster.as_deref().filter(|name| told.tables.cluster(name).is_some()),
        "delayed by": reply.delay.map(|delay| format!("{delay:?}")),
    });
    if let Some(route) = &reply.route {
        add_route(&mut outcome, route);
    }
    let details = reply.details.clone();
    let Answer { status, mut headers, body } = reply.into_answer(told.is_grpc, told.is_head);
    if let Some((forward, head)) = forwarded {
        let progress =
            Progress { status: Some(status.as_u16()), details: &details, ..Progress::default() };
        forward.apply_response_headers(&mut headers, head, &progress);
    }
    forwarded::finish(told.manager, &mut headers, told.sent);
    let location = headers.remove(LOCATION).and_then(|v| v.to_str().map(str::to_owned).ok());
    headers.remove(CONTENT_LENGTH);
    let text: String = String::from_utf8_lossy(&body).chars().take(200).collect();
    // No client reads a body there.
    let text = if status == StatusCode::NO_CONTENT { String::new() } else { text };
    outcome["status"] = json!(status.as_u16());
    outcome["seen_downstream"] = all(&headers);
    outcome["response"] = json!({
        "location": location,
        "body": Some(text).filter(|text| !text.is_empty()),
        "headers": changes(&Headers::new(), &headers),
    });
    outcome
}

/// Clusters that get a copy.
fn mirrors(forward: &Forward) -> Vec<&str> {
    let all = forward.action().map_or(&[][..], |action| &action.mirrors);
    forward.mirrors.iter().filter_map(|index| all.get(*index)).map(|m| &*m.cluster).collect()
}

/// All values of all headers.
fn all(headers: &Headers) -> Value {
    let values = |name: &HeaderName| headers.get_all(name).map(told).collect::<Vec<_>>();
    let named = headers.keys().map(|name| (name.as_str().to_owned(), json!(values(name))));
    Value::Object(named.filter(|(name, _)| name != REQUEST_ID).collect())
}

fn told(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn add_route(outcome: &mut Value, route: &Arc<RouteEntry>) {
    outcome["virtual_host"] = json!(&*route.virtual_host.name);
    if !route.name.is_empty() {
        outcome["route"] = json!(&*route.name);
    }
}

/// The headers that the client sends.
pub(super) fn client_headers(exchange: &Exchange) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in &exchange.request.headers {
        headers
            .append(name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"));
    }
    if exchange.request.protocol.as_deref() == Some("grpc") {
        headers.insert_if_absent(CONTENT_TYPE, || HeaderValue::from_static("application/grpc"));
        headers.insert_if_absent(TE, || HeaderValue::from_static("trailers"));
    }
    headers
}

/// The headers that the upstream answers with: some of its own, and those that the case wants to see changed.
fn upstream_response_headers(exchange: &Exchange) -> Headers {
    let mut headers = Headers::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(SERVER, HeaderValue::from_static("echo"));
    let told = exchange.recorded.get("upstream_response_headers").and_then(Value::as_object);
    for (name, value) in told.into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        headers
            .insert(name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"));
    }
    headers
}

/// The headers of `after` that differ from those of `before`: a value, a list of values, or null for a removed one.
fn changes(before: &Headers, after: &Headers) -> Value {
    let mut found = Map::new();
    let names: std::collections::BTreeSet<&str> =
        before.keys().chain(after.keys()).map(HeaderName::as_str).collect();
    for name in names {
        let old: Vec<&HeaderValue> = before.get_all(name).collect();
        let new: Vec<&HeaderValue> = after.get_all(name).collect();
        if old == new || name == HOST.as_str() {
            continue;
        }
        let mut texts: Vec<String> = new.into_iter().map(told).collect();
        let value = match texts.len() {
            0 => Value::Null,
            1 if name == REQUEST_ID => json!("*"),
            1 => json!(texts.remove(0)),
            _ => json!(texts),
        };
        found.insert(name.to_owned(), value);
    }
    Value::Object(found)
}
