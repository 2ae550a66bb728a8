//! A request as the engine sees it, before and after routing.

use std::borrow::Cow;
use std::net::SocketAddr;

use http::{HeaderValue, Method, Version};

use crate::headers::Headers;
use crate::metadata::DynamicMetadata;
use crate::tls::TlsSession;

/// Whether HTTP/1 requests may have this method. Envoy refuses those that it does not know, with 400.
#[must_use]
pub fn is_method_of_http1(method: &Method) -> bool {
    METHODS_OF_HTTP1.contains(&method.as_str())
}

/// The usual ones first.
const METHODS_OF_HTTP1: [&str; 34] = [
    "GET",
    "POST",
    "PUT",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "PATCH",
    "CONNECT",
    "TRACE",
    "ACL",
    "BIND",
    "CHECKOUT",
    "COPY",
    "LINK",
    "LOCK",
    "M-SEARCH",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MOVE",
    "NOTIFY",
    "PROPFIND",
    "PROPPATCH",
    "PURGE",
    "REBIND",
    "REPORT",
    "SEARCH",
    "SOURCE",
    "SUBSCRIBE",
    "UNBIND",
    "UNLINK",
    "UNLOCK",
    "UNSUBSCRIBE",
];

/// What is known of the client's connection.
#[derive(Clone, Copy, Debug)]
pub struct Downstream<'a> {
    /// The peer of the TCP connection, or what the PROXY protocol said it is.
    pub peer: SocketAddr,
    /// The address the client connected to: the original destination where traffic is captured.
    pub local: SocketAddr,
    /// Whether the client's connection is TLS that this proxy ends.
    pub tls: bool,
    /// Server name that the client asked for.
    pub server_name: Option<&'a str>,
    /// What the handshake has shown, where this proxy ends the client's TLS.
    pub session: Option<&'a TlsSession>,
    /// What this proxy adds to `x-forwarded-for` for this peer ([`forwarded_for`](crate::forwarded::forwarded_for)),
    /// when it is at hand: it is the same for all requests of a connection.
    pub forwarded_for: Option<&'a HeaderValue>,
}

impl<'a> Downstream<'a> {
    /// A connection from `peer` to `local` without TLS, of which nothing more is known.
    pub fn plain(peer: SocketAddr, local: SocketAddr) -> Self {
        Self { peer, local, tls: false, server_name: None, session: None, forwarded_for: None }
    }

    /// Who the client is: the first URI name of its certificate.
    pub fn principal(&self) -> Option<&'a str> {
        self.session?.peer.as_ref()?.uris.first().map(String::as_str)
    }
}

/// Request line and headers. Borrowed; nothing is copied to take a decision.
///
/// `authority`, `path` and `headers` are those after [`crate::forwarded::prepare`].
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// Method.
    pub method: &'a Method,
    /// `http` or `https`: the `:scheme`, for HTTP/1 as `prepare` determined it.
    pub scheme: &'a str,
    /// `:authority` or `Host` as received, port included.
    pub authority: &'a str,
    /// Path and query: the `:path`.
    pub path: &'a str,
    /// HTTP version of the client.
    pub version: Version,
    /// Headers. A `host` entry may or may not be among them; `authority` is what counts.
    pub headers: &'a Headers,
    /// The client's connection.
    pub downstream: &'a Downstream<'a>,
    /// The client's address as trusted: from `x-forwarded-for` where that is to be believed.
    pub client: SocketAddr,
    /// What filters found out; nothing where none did.
    pub metadata: Option<&'a DynamicMetadata>,
}

impl RequestHead<'_> {
    /// Whether the request is gRPC: its content type says so.
    pub fn is_grpc(&self) -> bool {
        is_grpc(self.headers)
    }
}

/// Whether any of `headers` is one with which clients steer the router: `x-envoy-retry-on`,
/// `x-envoy-upstream-rq-timeout-ms` and the like. One look at all names costs less than asking for each of the many.
pub(crate) fn steers_router(headers: &Headers) -> bool {
    headers.keys().any(|name| {
        name.as_str().strip_prefix("x-envoy-").is_some_and(|rest| {
            ["upstream-rq-", "expected-rq-", "retry-", "max-retries", "retriable-", "hedge-"]
                .iter()
                .any(|start| rest.starts_with(start))
        })
    })
}

/// Whether `headers` are those of a gRPC request: content type `application/grpc` or `application/grpc+…`.
pub fn is_grpc(headers: &Headers) -> bool {
    let Some(kind) = headers.get(http::header::CONTENT_TYPE) else { return false };
    match kind.as_bytes().strip_prefix(b"application/grpc") {
        Some([]) => true,
        Some([next, ..]) => *next == b'+',
        None => false,
    }
}

/// The head of a request on its way upstream, which a route changes.
#[derive(Debug)]
pub struct UpstreamHead<'a> {
    /// Method; routes do not change it.
    pub method: &'a Method,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Path and query.
    pub path: Cow<'a, str>,
    /// Authority.
    pub authority: Cow<'a, str>,
    /// Headers without `host`.
    pub headers: &'a mut Headers,
}
