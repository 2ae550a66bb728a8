//! A test's request, put to the engine.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Version};
use pilotage_engine::forward::{Exchange, Forward};
use pilotage_engine::headers::Headers;
use pilotage_engine::local_reply::LocalReply;
use pilotage_engine::metadata::DynamicMetadata;
use pilotage_engine::request::{Downstream, RequestHead, UpstreamHead};
use pilotage_engine::route::RouteAction;
use pilotage_engine::{Decision, Env, NoTrace, decide};
use pilotage_proto::envoy::config::core::v3::Metadata;
use pilotage_proto::json;
use serde_json::json;

use super::entry::{Direct, Entry, Forwarded, Sent};
use super::file::{FilterMetadata, HeaderValue as Written, Raw, ValidationInput};
use super::runtime::Stage;

/// Headers that a router adds when it sends a request. A route table does not.
const BY_THE_ROUTER: [&str; 2] = ["x-envoy-expected-rq-timeout-ms", "x-envoy-attempt-count"];

/// What the routes of `stage` do with the request of `input`.
pub(super) fn ask(stage: &Stage, input: &ValidationInput) -> Result<Entry, String> {
    let manager = stage.manager.as_ref().ok_or("the routes cannot be used")?;
    let method = Method::from_bytes(input.method.as_bytes())
        .map_err(|_| format!("`{}` is no HTTP method", input.method))?;
    let scheme = if input.ssl == Some(true) { "https" } else { "http" };
    let mut headers = Headers::new();
    headers.insert("x-forwarded-proto", HeaderValue::from_static(scheme));
    if input.internal == Some(true) {
        headers.insert("x-envoy-internal", HeaderValue::from_static("true"));
    }
    add(&mut headers, &input.additional_request_headers)?;
    let metadata = metadata(&input.dynamic_metadata)?;
    let peer = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let downstream = Downstream { tls: scheme == "https", ..Downstream::plain(peer, peer) };
    let head = RequestHead {
        method: &method,
        scheme,
        authority: &input.authority,
        path: &input.path,
        version: Version::HTTP_11,
        headers: &headers,
        downstream: &downstream,
        client: peer,
        metadata: Some(&metadata),
    };
    let random = input.random_value.unwrap_or(0);
    let mut rng = || random;
    let mut env = Env { now: Duration::ZERO, unix_time: Duration::ZERO, rng: &mut rng };
    match decide(&stage.tables, manager, &head, &mut env, &mut NoTrace) {
        Decision::Forward(forward) => {
            let mut answer = Headers::new();
            add(&mut answer, &input.additional_response_headers)?;
            Ok(Entry::Forwarded(Box::new(forwarded(&forward, &head, answer))))
        }
        Decision::Reply(reply) => replied(*reply, &head, input),
    }
}

/// What filters would have found out.
fn metadata(written: &[FilterMetadata]) -> Result<DynamicMetadata, String> {
    let mut all = DynamicMetadata::default();
    for (index, one) in written.iter().enumerate() {
        let what = format!("dynamic_metadata[{index}]");
        if one.metadata_namespace.is_empty() {
            return Err(format!("{what} lacks a `metadata_namespace`"));
        }
        let Some(Raw(value)) = &one.value else { continue };
        let name = &one.metadata_namespace;
        let message = json!({"filterMetadata": {name: value}});
        let message: Metadata = json::from_value(&message).map_err(|e| format!("{what}: {e}"))?;
        for (name, value) in message.filter_metadata {
            all.set(&name, value.fields, one.allow_overwrite);
        }
    }
    Ok(all)
}

fn add(headers: &mut Headers, written: &[Written]) -> Result<(), String> {
    for Written { key, value } in written {
        let name = HeaderName::from_bytes(key.as_bytes())
            .map_err(|_| format!("`{key}` is no header name"))?;
        let value = HeaderValue::from_str(value)
            .map_err(|_| format!("the value of header `{key}` cannot be sent"))?;
        headers.append(name, value);
    }
    Ok(())
}

fn forwarded(forward: &Forward, head: &RequestHead<'_>, mut answer: Headers) -> Forwarded {
    let exchange = Exchange { attempts: 1, ..Exchange::default() };
    let mut headers = head.headers.clone();
    let mut upstream = UpstreamHead {
        method: head.method,
        scheme: head.scheme,
        path: Cow::Borrowed(head.path),
        authority: Cow::Borrowed(head.authority),
        headers: &mut headers,
    };
    forward.apply_request_headers(&mut upstream, head, &exchange);
    let (path, authority) = (upstream.path.into_owned(), upstream.authority.into_owned());
    for name in BY_THE_ROUTER {
        if !head.headers.contains_key(name) {
            headers.remove(name);
        }
    }
    forward.apply_response_headers(&mut answer, head, &exchange);
    Forwarded {
        route: Arc::clone(&forward.route),
        cluster: forward.cluster.name().to_owned(),
        weighted_index: forward.weighted_index,
        sent: Sent::new(head, path, authority, headers),
        answer,
    }
}

fn replied(
    reply: LocalReply,
    head: &RequestHead<'_>,
    input: &ValidationInput,
) -> Result<Entry, String> {
    let route = reply.route.clone();
    let redirects = reply.headers.contains_key(http::header::LOCATION);
    let forwards =
        route.as_ref().is_some_and(|route| matches!(route.action, RouteAction::Forward(_)));
    if forwards {
        return Err(format!(
            "the route takes the request and answers it with {}, {}",
            reply.status.as_u16(),
            reply.details
        ));
    }
    if route.is_none() && !redirects {
        return Ok(Entry::None(Box::new(Sent::arrived(head))));
    }
    if !input.additional_response_headers.is_empty() {
        return Err(
            "additional_response_headers: the answer does not come from an upstream here, \
                    and its headers are those of the route"
                .to_owned(),
        );
    }
    let url = match reply.headers.get(http::header::LOCATION).map(HeaderValue::to_str) {
        Some(Ok(location)) => location.to_owned(),
        // Envoy's tool asks any route that answers by itself where it would lead, and that is to where it was asked.
        Some(Err(_)) | None => format!("{}://{}{}", head.scheme, head.authority, head.path),
    };
    let path = route.as_ref().map_or(Cow::Borrowed(head.path), |route| route.seen_path(head.path));
    let sent = Sent::new(head, path.into_owned(), head.authority.to_owned(), head.headers.clone());
    let code = reply.status.as_u16();
    let answer = own_answer(&reply, head);
    Ok(Entry::Direct(Box::new(Direct { route, url, code, sent, answer })))
}

/// The headers of an answer that comes from a route. Envoy's tool makes the answer first and lets the route change it
/// then, where Envoy itself does it the other way round; so a `content-type` that a route adds comes second here.
fn own_answer(reply: &LocalReply, head: &RequestHead<'_>) -> Headers {
    let mut answer = Headers::new();
    if !reply.body.is_empty() {
        answer.insert(CONTENT_LENGTH, HeaderValue::from(reply.body.len()));
        answer.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    }
    if let Some(route) = &reply.route {
        route.apply_response_headers(&mut answer, head);
    }
    // Of this header there is one, whatever is added to it.
    let types: Vec<&[u8]> = answer.get_all(&CONTENT_TYPE).map(HeaderValue::as_bytes).collect();
    if types.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&types.join(&b','))
    {
        answer.insert(CONTENT_TYPE, joined);
    }
    answer
}
