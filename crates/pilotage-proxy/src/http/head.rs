//! Request heads: taken apart when they arrive, put together for each attempt.
//!
//! Which headers go on is the engine's to say ([`pilotage_engine::forwarded`]); here they only change shape between
//! HTTP/1 and HTTP/2.

use std::borrow::Cow;

use http::header::{CONNECTION, HOST, UPGRADE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use pilotage_engine::forwarded::is_upgrade;

use super::body::RequestBody;

/// A request head in parts. The host is not among the headers.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: Method,
    /// Of an absolute URI, or HTTP/2's `:scheme`.
    pub(super) scheme: Option<Scheme>,
    /// `:authority`, the authority of an absolute URI, or `host`.
    pub(super) authority: Option<HeaderValue>,
    /// `None` for CONNECT.
    pub(super) path: Option<PathAndQuery>,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
}

impl Head {
    /// Takes `request` apart. What it wants to change to comes along when it asks for an upgrade.
    pub(super) fn take(mut request: Request<Incoming>) -> (Self, Incoming, Option<OnUpgrade>) {
        let on_upgrade = (request.headers().contains_key(UPGRADE) && is_upgrade(request.headers()))
            .then(|| hyper::upgrade::on(&mut request));
        let (mut parts, body) = request.into_parts();
        let host = parts.headers.remove(HOST);
        let uri = parts.uri.into_parts();
        let authority = match &uri.authority {
            Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
            None => host,
        };
        let head = Self {
            method: parts.method,
            scheme: uri.scheme,
            authority,
            path: uri.path_and_query,
            version: parts.version,
            headers: parts.headers,
        };
        (head, body, on_upgrade)
    }

    pub(super) fn authority(&self) -> Option<&str> {
        self.authority.as_ref().and_then(|value| value.to_str().ok()).filter(|a| !a.is_empty())
    }

    pub(super) fn path(&self) -> &str {
        self.path.as_ref().map(PathAndQuery::as_str).unwrap_or_default()
    }
}

/// What one attempt sends.
#[derive(Debug)]
pub(super) struct Outgoing<'a> {
    pub(super) method: &'a Method,
    pub(super) scheme: &'a str,
    pub(super) authority: Cow<'a, str>,
    pub(super) path: Cow<'a, str>,
    /// The path as it arrived, already parsed.
    pub(super) original_path: Option<&'a PathAndQuery>,
    /// The authority as it arrived.
    pub(super) original_authority: Option<&'a HeaderValue>,
    pub(super) headers: HeaderMap,
}

impl Outgoing<'_> {
    /// The request for `version`. `None` when the path or the authority cannot be written in a request.
    pub(super) fn into_request(
        mut self,
        version: Version,
        body: RequestBody,
    ) -> Option<Request<RequestBody>> {
        let path = match self.original_path {
            Some(original) if original.as_str() == self.path => original.clone(),
            _ => PathAndQuery::try_from(self.path.as_ref()).ok()?,
        };
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        if version == Version::HTTP_2 {
            let mut parts = http::uri::Parts::default();
            parts.scheme = Some(Scheme::try_from(self.scheme).ok()?);
            parts.authority = Some(Authority::try_from(self.authority.as_ref()).ok()?);
            parts.path_and_query = Some(path);
            *request.uri_mut() = Uri::from_parts(parts).ok()?;
            *request.version_mut() = Version::HTTP_2;
            self.headers.remove(CONNECTION);
            self.headers.remove(UPGRADE);
        } else {
            let host = match self.original_authority {
                Some(original) if original.as_bytes() == self.authority.as_bytes() => {
                    original.clone()
                }
                _ => HeaderValue::from_str(&self.authority).ok()?,
            };
            *request.uri_mut() = Uri::from(path);
            self.headers.insert(HOST, host);
        }
        *request.headers_mut() = self.headers;
        Some(request)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

    use super::Outgoing;
    use crate::http::RequestBody;

    #[test]
    fn heads_for_both_versions() {
        let value = HeaderValue::from_static("upgrade");
        let headers = HeaderMap::from_iter([(HeaderName::from_static("connection"), value)]);
        let outgoing = || Outgoing {
            method: &Method::GET,
            scheme: "http",
            authority: "reviews:9080".into(),
            path: "/a?b".into(),
            original_path: None,
            original_authority: None,
            headers: headers.clone(),
        };
        let one = outgoing().into_request(Version::HTTP_11, RequestBody::Empty).unwrap();
        assert_eq!(one.uri(), "/a?b");
        assert_eq!(one.headers().get("host").unwrap(), "reviews:9080");
        assert_eq!(one.headers().get("connection").unwrap(), "upgrade");
        let two = outgoing().into_request(Version::HTTP_2, RequestBody::Empty).unwrap();
        assert_eq!(two.uri(), "http://reviews:9080/a?b");
        assert!(two.headers().is_empty());
    }

    #[test]
    fn a_path_that_is_none_makes_no_request() {
        let outgoing = Outgoing {
            method: &Method::GET,
            scheme: "http",
            authority: "a".into(),
            path: "/ \n".into(),
            original_path: None,
            original_authority: None,
            headers: HeaderMap::new(),
        };
        assert!(outgoing.into_request(Version::HTTP_11, RequestBody::Empty).is_none());
    }
}
