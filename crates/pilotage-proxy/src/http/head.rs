//! Request heads: taken apart when they arrive, put together for each attempt.
//!
//! Which headers go on is the engine's to say ([`pilotage_engine::forwarded`]); here they only change shape between
//! HTTP/1 and HTTP/2.

use std::rc::Rc;

use http::header::{CONNECTION, HOST, UPGRADE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version};
use pilotage_engine::headers::Headers;

use super::Interim;
use crate::http1::Spelling;

/// A request head in parts. The host is not among the headers.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) method: Method,
    /// Of an absolute URI, or HTTP/2's `:scheme`.
    pub(crate) scheme: Option<Scheme>,
    /// `:authority`, the authority of an absolute URI, or `host`.
    pub(crate) authority: Option<HeaderValue>,
    /// `None` for CONNECT.
    pub(crate) path: Option<PathAndQuery>,
    pub(crate) version: Version,
    pub(crate) headers: Headers,
    /// The client wants to change to another protocol; what is its body then is sent in that one.
    pub(crate) upgrade: bool,
    /// The client waits to be told to go on before it sends its body.
    pub(crate) expects_continue: bool,
    /// Where interim answers go, if the client may have some.
    pub(crate) interim: Option<Interim>,
    /// How its names were spelled, where that is remembered.
    pub(crate) spelling: Option<Rc<Spelling>>,
}

impl Head {
    /// Takes the head of a request apart.
    pub(super) fn of(mut parts: http::request::Parts) -> Self {
        let host = parts.headers.remove(HOST);
        let uri = parts.uri.into_parts();
        let authority = match &uri.authority {
            Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
            None => host,
        };
        Self {
            method: parts.method,
            scheme: uri.scheme,
            authority,
            path: uri.path_and_query,
            version: parts.version,
            headers: parts.headers.into(),
            upgrade: false,
            expects_continue: false,
            interim: None,
            spelling: None,
        }
    }

    pub(crate) fn authority(&self) -> Option<&str> {
        self.authority.as_ref().and_then(|value| value.to_str().ok())
    }

    pub(crate) fn path(&self) -> &str {
        self.path.as_ref().map(PathAndQuery::as_str).unwrap_or_default()
    }
}

/// The head of an answer, an upstream's or our own.
#[derive(Clone, Debug, Default)]
pub(crate) struct AnswerHead {
    pub(crate) status: StatusCode,
    pub(crate) headers: Headers,
    /// How its names were spelled, where that is remembered.
    pub(crate) spelling: Option<Rc<Spelling>>,
}

/// A request head on its way upstream, as one attempt sends it.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) scheme: Scheme,
    pub(crate) authority: HeaderValue,
    pub(crate) path: PathAndQuery,
    /// Without `host`.
    pub(crate) headers: Headers,
    /// Where interim answers go, when they are wanted.
    pub(crate) interim: Option<Interim>,
    /// How the names of the request were spelled, where that is remembered.
    pub(crate) spelling: Option<Rc<Spelling>>,
}

impl Outgoing {
    /// The request as HTTP/2 has it. `None` when the authority cannot be written in one.
    pub(crate) fn into_http2<B>(mut self, body: B) -> Option<Request<B>> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme);
        parts.authority = Some(Authority::try_from(self.authority.as_bytes()).ok()?);
        parts.path_and_query = Some(self.path);
        let mut request = Request::new(body);
        *request.method_mut() = self.method;
        *request.uri_mut() = Uri::from_parts(parts).ok()?;
        *request.version_mut() = Version::HTTP_2;
        self.headers.remove(CONNECTION);
        self.headers.remove(UPGRADE);
        *request.headers_mut() = HeaderMap::from(self.headers);
        Some(request)
    }
}

#[cfg(test)]
mod tests {
    use http::uri::{PathAndQuery, Scheme};
    use http::{HeaderName, HeaderValue, Method};
    use pilotage_engine::headers::Headers;

    use super::Outgoing;

    #[test]
    fn heads_for_http2() {
        let value = HeaderValue::from_static("upgrade");
        let headers = Headers::from_iter([(HeaderName::from_static("connection"), value)]);
        let outgoing = Outgoing {
            method: Method::GET,
            scheme: Scheme::HTTP,
            authority: HeaderValue::from_static("reviews:9080"),
            path: PathAndQuery::from_static("/a?b"),
            headers,
            interim: None,
            spelling: None,
        };
        let two = outgoing.into_http2(()).unwrap();
        assert_eq!(two.uri(), "http://reviews:9080/a?b");
        assert!(two.headers().is_empty());
    }
}
