//! What the connection manager does to a request before routing, and to an answer before it is sent:
//! `x-forwarded-for`, `x-forwarded-proto`, `x-request-id`, path normalization, `server`.

mod client;
mod client_cert;
mod request_id;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONNECTION, LOCATION, SERVER, TE, TRANSFER_ENCODING, UPGRADE, VIA};
use http::{HeaderName, HeaderValue, Method, StatusCode, Version};

use self::client::Client;
pub use self::client::forwarded_for;
use crate::domains::split_port;
use crate::env::Env;
use crate::headers::Headers;
use crate::http_manager::{EscapedSlashes, HttpManager, ServerHeader, UnderscoreHeaders};
use crate::local_reply::LocalReply;
use crate::path;
use crate::request::Downstream;
use crate::response_flag::{ResponseFlags, details};

/// A request as it arrived.
#[derive(Debug)]
pub struct Arrived<'a, 'h> {
    /// Method.
    pub method: &'a Method,
    /// `:scheme`, if the client sent one (HTTP/2, or HTTP/1 with an absolute URI).
    pub scheme: Option<&'a str>,
    /// `:authority` or `Host`; `None` when there is neither.
    pub authority: Option<&'a str>,
    /// Path and query.
    pub path: &'a str,
    /// HTTP version.
    pub version: Version,
    /// Headers; changed in place. What [`prepare`] finds out does not borrow from them.
    pub headers: &'h mut Headers,
    /// The client's connection.
    pub downstream: &'a Downstream<'a>,
}

/// What [`prepare`] found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared<'a> {
    /// `http` or `https`, or whatever else an HTTP/2 client said.
    pub scheme: Cow<'a, str>,
    /// Authority to route by; a port or trailing dot is gone where the manager strips it.
    pub authority: Cow<'a, str>,
    /// Path to route by, normalized.
    pub path: Cow<'a, str>,
    /// The client's address as trusted.
    pub client: SocketAddr,
    /// Whether the request counts as internal: its `x-envoy-…` headers are believed.
    pub internal: bool,
}

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const INTERNAL: HeaderName = HeaderName::from_static("x-envoy-internal");
const EXTERNAL_ADDRESS: HeaderName = HeaderName::from_static("x-envoy-external-address");

/// Headers about one connection, which go no further.
const HOP_BY_HOP: &[&str] = &["keep-alive", "proxy-connection"];

/// Headers with which only internal clients may steer this proxy.
const INTERNAL_ONLY: &[&str] = &[
    "x-envoy-retriable-status-codes",
    "x-envoy-retriable-header-names",
    "x-envoy-retry-on",
    "x-envoy-retry-grpc-on",
    "x-envoy-max-retries",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-force-trace",
    "x-envoy-ip-tags",
    "x-envoy-original-url",
    "x-envoy-hedge-on-per-try-timeout",
];

/// Headers that clients outside may not set at the edge either.
const EDGE_ONLY: &[&str] = &[
    "x-envoy-decorator-operation",
    "x-envoy-downstream-service-cluster",
    "x-envoy-downstream-service-node",
];

/// Prepares a request for routing: checks it, sanitizes and writes the headers that proxies exchange, and normalizes
/// path and host, all in the order and with the meaning of Envoy's connection manager.
///
/// # Errors
/// The answer to give instead: 400 for a broken path or a missing host, 404 for a path that is none, 426 for HTTP/1.0,
/// a redirect for escaped slashes.
pub fn prepare<'a>(
    manager: &HttpManager,
    request: &mut Arrived<'a, '_>,
    env: &mut Env<'_>,
) -> Result<Prepared<'a>, Box<LocalReply>> {
    check_version(manager, request)?;
    let authority = authority(manager, request)?;
    check_underscores(manager, request.headers)?;
    let path = normalized_path(manager, request)?;
    let authority = stripped_host(manager, authority, request.downstream.local.port());
    let mut seen = Seen::among(request.headers);
    if seen.connection {
        sanitize_connection_headers(request.headers);
        // Clients may have had any header removed.
        seen = Seen::among(request.headers);
    }
    let client = Client::find(manager, &seen, request.headers, request.downstream.peer);
    let scheme = forwarded_proto(manager, &seen, request);
    trust(manager, &seen, request.headers, &client);
    if manager.generate_request_id {
        request_id::set(manager, &seen, request.headers, client.edge, env);
    }
    let session = request.downstream.session.filter(|session| session.peer.is_some());
    if seen.client_cert || session.is_some() {
        client_cert::forward(manager, request.headers, session);
    }
    if !manager.via.is_empty()
        && let Ok(via) = HeaderValue::from_str(&manager.via)
    {
        request.headers.append(VIA, via);
    }
    Ok(Prepared { scheme, authority, path, client: client.address, internal: client.internal })
}

/// Which of the headers that matter here a request arrived with. One look at all names costs less than asking for each
/// of them, and most requests have hardly any.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// One that concerns the client's own connection.
    connection: bool,
    /// One with which Envoys and their clients speak to each other.
    envoy: bool,
    forwarded_for: bool,
    forwarded_proto: bool,
    forwarded_port: bool,
    client_cert: bool,
    request_id: bool,
}

impl Seen {
    fn among(headers: &Headers) -> Self {
        let mut seen = Self::default();
        for name in headers.keys() {
            let name = name.as_str();
            seen.connection |= concerns_connection(name);
            if !name.starts_with("x-") {
                continue;
            }
            match name {
                "x-forwarded-for" => seen.forwarded_for = true,
                "x-forwarded-proto" => seen.forwarded_proto = true,
                "x-forwarded-port" => seen.forwarded_port = true,
                "x-forwarded-client-cert" => seen.client_cert = true,
                "x-request-id" => seen.request_id = true,
                _ => seen.envoy |= name.starts_with("x-envoy-"),
            }
        }
        seen
    }
}

fn refuse(status: StatusCode, why: &'static str) -> Box<LocalReply> {
    let mut reply = LocalReply::new(status, "", why);
    // Who sends one broken request may be out of step with the next as well.
    reply.close = status == StatusCode::BAD_REQUEST;
    Box::new(reply)
}

fn check_version(manager: &HttpManager, request: &Arrived<'_, '_>) -> Result<(), Box<LocalReply>> {
    let old = request.version == Version::HTTP_10 || request.version == Version::HTTP_09;
    if old && !manager.accept_http_10 {
        let mut reply = refuse(StatusCode::UPGRADE_REQUIRED, details::LOW_VERSION);
        reply.body = Bytes::from_static(b"Upgrade Required");
        reply.close = true;
        return Err(reply);
    }
    Ok(())
}

fn authority<'a>(
    manager: &HttpManager,
    request: &Arrived<'a, '_>,
) -> Result<Cow<'a, str>, Box<LocalReply>> {
    if let Some(authority) = request.authority {
        return Ok(Cow::Borrowed(authority));
    }
    let default = manager.default_host_for_http_10.as_ref();
    if let Some(host) = default.filter(|_| request.version == Version::HTTP_10) {
        return Ok(Cow::Owned(host.to_string()));
    }
    Err(refuse(StatusCode::BAD_REQUEST, details::MISSING_HOST))
}

fn check_underscores(manager: &HttpManager, headers: &mut Headers) -> Result<(), Box<LocalReply>> {
    if manager.underscore_headers == UnderscoreHeaders::Allow {
        return Ok(());
    }
    let found: Vec<_> = headers.keys().filter(|n| n.as_str().contains('_')).cloned().collect();
    if !found.is_empty() && manager.underscore_headers == UnderscoreHeaders::Reject {
        let reply = refuse(StatusCode::BAD_REQUEST, details::UNDERSCORE_HEADER);
        return Err(Box::new((*reply).with_flags(ResponseFlags::DOWNSTREAM_PROTOCOL_ERROR)));
    }
    for name in found {
        headers.remove(name);
    }
    Ok(())
}

fn normalized_path<'a>(
    manager: &HttpManager,
    request: &Arrived<'a, '_>,
) -> Result<Cow<'a, str>, Box<LocalReply>> {
    let mut text = Cow::Borrowed(request.path);
    if request.method == Method::CONNECT {
        return Ok(text);
    }
    if text.is_empty() {
        return Err(refuse(StatusCode::NOT_FOUND, details::MISSING_PATH));
    }
    if !text.starts_with('/') {
        return Err(refuse(StatusCode::NOT_FOUND, details::ABSOLUTE_PATH));
    }
    let failed = || refuse(StatusCode::BAD_REQUEST, details::PATH_NORMALIZATION_FAILED);
    let unescaped = match manager.escaped_slashes {
        EscapedSlashes::Keep => None,
        _ => path::unescaped_slashes(&text),
    };
    let mut redirect = false;
    if let Some(unescaped) = unescaped {
        if manager.escaped_slashes == EscapedSlashes::Reject {
            return Err(failed());
        }
        redirect = manager.escaped_slashes == EscapedSlashes::UnescapeAndRedirect;
        text = Cow::Owned(unescaped);
    }
    if manager.normalize_path {
        text = match text {
            Cow::Borrowed(text) => path::normalized(text).ok_or_else(failed)?,
            Cow::Owned(text) => {
                Cow::Owned(path::normalized(&text).ok_or_else(failed)?.into_owned())
            }
        };
    }
    if manager.merge_slashes {
        text = match text {
            Cow::Borrowed(text) => path::merged_slashes(text),
            Cow::Owned(text) => Cow::Owned(path::merged_slashes(&text).into_owned()),
        };
    }
    if redirect {
        let mut reply =
            refuse(StatusCode::TEMPORARY_REDIRECT, details::PATH_NORMALIZATION_REDIRECT);
        if let Ok(location) = HeaderValue::from_str(&text) {
            reply.headers.insert(LOCATION, location);
        }
        return Err(reply);
    }
    Ok(text)
}

/// The host without port or trailing dot, where the manager wants that.
fn stripped_host<'a>(
    manager: &HttpManager,
    authority: Cow<'a, str>,
    local_port: u16,
) -> Cow<'a, str> {
    if !(manager.strip_any_host_port
        || manager.strip_matching_host_port
        || manager.strip_trailing_host_dot)
    {
        return authority;
    }
    let (host, port) = split_port(&authority);
    let matching = manager.strip_matching_host_port
        && port.and_then(|port| port.parse().ok()) == Some(local_port);
    let stripped = if manager.strip_any_host_port || matching { host } else { &authority };
    let (host, port) = split_port(stripped);
    match host.strip_suffix('.').filter(|_| manager.strip_trailing_host_dot) {
        Some(dotless) => Cow::Owned(match port {
            Some(port) => format!("{dotless}:{port}"),
            None => dotless.to_owned(),
        }),
        None if stripped.len() == authority.len() => authority,
        None => Cow::Owned(stripped.to_owned()),
    }
}

/// Removes what only concerns the client's own connection. Upgrade requests keep what asks for the upgrade.
fn sanitize_connection_headers(headers: &mut Headers) {
    remove_nominated(headers);
    if !is_upgrade(headers) {
        headers.remove(CONNECTION);
        headers.remove(UPGRADE);
    }
    let trailers = headers.get(TE).is_some_and(|te| has_token(te, b"trailers"));
    headers.remove(TE);
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    for name in HOP_BY_HOP {
        headers.remove(*name);
    }
    headers.remove(TRANSFER_ENCODING);
    headers.remove(INTERNAL);
}

/// Removes the headers that `connection` names: they are for this hop only. What this proxy writes itself stays.
fn remove_nominated(headers: &mut Headers) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok())
        .filter(|name| {
            *name != UPGRADE && *name != TE && !name.as_str().starts_with("x-forwarded-")
        })
        .collect();
    for name in named {
        headers.remove(name);
    }
}

/// Whether the header is one of those that [`sanitize_connection_headers`] and [`finish`] look for.
fn concerns_connection(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "upgrade"
            | "te"
            | "transfer-encoding"
            | "keep-alive"
            | "proxy-connection"
            | "x-envoy-internal"
    )
}

/// Whether the headers ask for, or grant, an upgrade to another protocol.
pub fn is_upgrade(headers: &Headers) -> bool {
    headers.contains_key(UPGRADE)
        && headers.get_all(CONNECTION).any(|value| has_token(value, b"upgrade"))
}

/// Whether `token` is one of the list that `value` is, in whichever case.
pub fn has_token(value: &HeaderValue, token: &[u8]) -> bool {
    let mut tokens = value.as_bytes().split(|byte| *byte == b',');
    tokens.any(|one| one.trim_ascii().eq_ignore_ascii_case(token))
}

/// Writes `x-forwarded-for`, `-proto` and `-port`; gives the scheme of the request.
fn forwarded_proto<'a>(
    manager: &HttpManager,
    seen: &Seen,
    request: &mut Arrived<'a, '_>,
) -> Cow<'a, str> {
    let own = if request.downstream.tls { "https" } else { "http" };
    let believed = !manager.use_remote_address || manager.trusted_hops > 0;
    if manager.use_remote_address && !manager.skip_xff_append {
        client::append_forwarded_for(seen.forwarded_for, request.headers, request.downstream);
    }
    let kept = believed && seen.forwarded_proto;
    if !kept {
        request.headers.insert(FORWARDED_PROTO, HeaderValue::from_static(own));
    }
    if manager.use_remote_address
        && manager.append_x_forwarded_port
        && (manager.trusted_hops == 0 || !seen.forwarded_port)
    {
        let port = request.downstream.local.port();
        request.headers.insert(FORWARDED_PORT, HeaderValue::from(port));
    }
    match request.scheme {
        Some(scheme) => Cow::Borrowed(scheme),
        None if !kept => Cow::Borrowed(own),
        None => match request.headers.get(FORWARDED_PROTO).map(HeaderValue::as_bytes) {
            Some(b"https") => Cow::Borrowed("https"),
            Some(b"http") => Cow::Borrowed("http"),
            _ => Cow::Borrowed(own),
        },
    }
}

/// Removes what this client may not say, and tells the upstream who it is.
fn trust(manager: &HttpManager, seen: &Seen, headers: &mut Headers, client: &Client) {
    if client.internal {
        headers.insert(INTERNAL, HeaderValue::from_static("true"));
        return;
    }
    if seen.envoy {
        for name in INTERNAL_ONLY {
            headers.remove(*name);
        }
    }
    if client.edge {
        for name in EDGE_ONLY.iter().filter(|_| seen.envoy) {
            headers.remove(*name);
        }
        if manager.use_remote_address {
            headers.insert(EXTERNAL_ADDRESS, client::address_value(client.address.ip()));
        }
    }
}

/// Removes what an answer, also an interim one, says of the upstream's connection alone.
pub fn remove_hop_by_hop(headers: &mut Headers, request_headers: &Headers) {
    if headers.keys().any(|name| concerns_connection(name.as_str())) {
        if !(is_upgrade(headers) && is_upgrade(request_headers)) {
            headers.remove(CONNECTION);
            headers.remove(UPGRADE);
        }
        headers.remove(TRANSFER_ENCODING);
        for name in HOP_BY_HOP {
            headers.remove(*name);
        }
    }
}

/// Finishes the headers of an answer, ours or the upstream's: `server`, `via`, `x-request-id`, and headers about one
/// connection removed.
pub fn finish(manager: &HttpManager, headers: &mut Headers, request_headers: &Headers) {
    remove_hop_by_hop(headers, request_headers);
    match manager.server_header {
        ServerHeader::Overwrite => {
            headers.insert(SERVER, manager.server_name.clone());
        }
        ServerHeader::AppendIfAbsent => {
            headers.insert_if_absent(SERVER, || manager.server_name.clone());
        }
        ServerHeader::PassThrough => {}
    }
    if manager.request_id_in_response
        && let Some(id) = request_headers.get(request_id::NAME)
    {
        headers.insert(request_id::NAME, id.clone());
    }
    if !manager.via.is_empty()
        && let Ok(via) = HeaderValue::from_str(&manager.via)
    {
        headers.append(VIA, via);
    }
}
