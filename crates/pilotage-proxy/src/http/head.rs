//! Request heads: taken apart when they arrive, put together for each attempt.
//!
//! Which headers go on is the engine's to say ([`pilotage_engine::forwarded`]); here they only change shape between
//! HTTP/1 and HTTP/2.

use http::header::{CONNECTION, HOST, UPGRADE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};

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
            headers: parts.headers,
        }
    }

    pub(super) fn authority(&self) -> Option<&str> {
        self.authority.as_ref().and_then(|value| value.to_str().ok()).filter(|a| !a.is_empty())
    }

    pub(super) fn path(&self) -> &str {
        self.path.as_ref().map(PathAndQuery::as_str).unwrap_or_default()
    }
}

/// A request head on its way upstream, as one attempt sends it.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) scheme: Scheme,
    pub(crate) authority: HeaderValue,
    pub(crate) path: PathAndQuery,
    /// Without `host`.
    pub(crate) headers: HeaderMap,
}

impl Outgoing {
    /// The request as the codec for `version` takes it. `None` when the authority cannot be written in one.
    pub(crate) fn into_request<B>(mut self, version: Version, body: B) -> Option<Request<B>> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method;
        if version == Version::HTTP_2 {
            let mut parts = http::uri::Parts::default();
            parts.scheme = Some(self.scheme);
            parts.authority = Some(Authority::try_from(self.authority.as_bytes()).ok()?);
            parts.path_and_query = Some(self.path);
            *request.uri_mut() = Uri::from_parts(parts).ok()?;
            *request.version_mut() = Version::HTTP_2;
            self.headers.remove(CONNECTION);
            self.headers.remove(UPGRADE);
        } else {
            *request.uri_mut() = Uri::from(self.path);
            self.headers.insert(HOST, self.authority);
        }
        *request.headers_mut() = self.headers;
        Some(request)
    }
}

#[cfg(test)]
mod tests {
    use http::uri::{PathAndQuery, Scheme};
    use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

    use super::Outgoing;

    #[test]
    fn heads_for_both_versions() {
        let value = HeaderValue::from_static("upgrade");
        let headers = HeaderMap::from_iter([(HeaderName::from_static("connection"), value)]);
        let outgoing = || Outgoing {
            method: Method::GET,
            scheme: Scheme::HTTP,
            authority: HeaderValue::from_static("reviews:9080"),
            path: PathAndQuery::from_static("/a?b"),
            headers: headers.clone(),
        };
        let one = outgoing().into_request(Version::HTTP_11, ()).unwrap();
        assert_eq!(one.uri(), "/a?b");
        assert_eq!(one.headers().get("host").unwrap(), "reviews:9080");
        assert_eq!(one.headers().get("connection").unwrap(), "upgrade");
        let two = outgoing().into_request(Version::HTTP_2, ()).unwrap();
        assert_eq!(two.uri(), "http://reviews:9080/a?b");
        assert!(two.headers().is_empty());
    }
}
