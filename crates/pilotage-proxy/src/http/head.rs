//! Request heads: taken apart when they arrive, put together for each attempt.

use std::borrow::Cow;

use http::header::{CONNECTION, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use super::body::RequestBody;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

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
    /// The protocol that the client wants to change to.
    pub(super) upgrade: Option<HeaderValue>,
}

impl Head {
    /// Takes `request` apart. Headers that concern only the client's connection are gone afterwards.
    pub(super) fn take(mut request: Request<Incoming>) -> (Self, Incoming, Option<OnUpgrade>) {
        let upgrade = wanted_upgrade(request.headers());
        let on_upgrade = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
        let (mut parts, body) = request.into_parts();
        let host = parts.headers.remove(HOST);
        let uri = parts.uri.into_parts();
        let authority = match &uri.authority {
            Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
            None => host,
        };
        remove_hop_by_hop(&mut parts.headers);
        let head = Self {
            method: parts.method,
            scheme: uri.scheme,
            authority,
            path: uri.path_and_query,
            version: parts.version,
            headers: parts.headers,
            upgrade,
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
    pub(super) authority: &'a str,
    pub(super) path: Cow<'a, str>,
    /// The path as it arrived, already parsed.
    pub(super) original_path: Option<&'a PathAndQuery>,
    pub(super) headers: HeaderMap,
    /// The upgrade to ask for.
    pub(super) upgrade: Option<&'a HeaderValue>,
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
            parts.authority = Some(Authority::try_from(self.authority).ok()?);
            parts.path_and_query = Some(path);
            *request.uri_mut() = Uri::from_parts(parts).ok()?;
            *request.version_mut() = Version::HTTP_2;
        } else {
            *request.uri_mut() = Uri::from(path);
            self.headers.insert(HOST, HeaderValue::from_str(self.authority).ok()?);
            if let Some(upgrade) = self.upgrade {
                self.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
                self.headers.insert(UPGRADE, upgrade.clone());
            }
        }
        *request.headers_mut() = self.headers;
        Some(request)
    }
}

/// The value of `upgrade`, when `connection` names it. HTTP/2's own upgrade from clear text is not one.
fn wanted_upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let wanted = headers.get(UPGRADE)?;
    let named = headers.get_all(CONNECTION).iter().any(|value| has_token(value, "upgrade"));
    let is_h2c = wanted.as_bytes().eq_ignore_ascii_case(b"h2c");
    (named && !is_h2c).then(|| wanted.clone())
}

fn has_token(value: &HeaderValue, token: &str) -> bool {
    value
        .to_str()
        .is_ok_and(|list| list.split(',').any(|item| item.trim().eq_ignore_ascii_case(token)))
}

/// Removes what concerns one connection only: the headers that RFC 9110 names and those that `connection` lists.
/// `te: trailers` stays, because gRPC needs it.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if !headers.keys().any(is_hop_by_hop) {
        return;
    }
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .filter_map(|item| item.trim().parse().ok())
        .filter(|name| *name != TE)
        .collect();
    for name in listed {
        headers.remove(name);
    }
    for name in [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    let keeps_trailers = headers.get_all(TE).iter().any(|value| has_token(value, "trailers"));
    headers.remove(TE);
    if keeps_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

fn is_hop_by_hop(name: &HeaderName) -> bool {
    *name == CONNECTION
        || *name == TRANSFER_ENCODING
        || *name == TE
        || *name == UPGRADE
        || *name == KEEP_ALIVE
        || *name == PROXY_CONNECTION
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

    use super::{Outgoing, remove_hop_by_hop, wanted_upgrade};
    use crate::http::RequestBody;

    fn headers(list: &[(&str, &str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| {
                (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
            })
            .collect()
    }

    #[test]
    fn headers_of_the_connection_stay_behind() {
        let mut map = headers(&[
            ("connection", "close, X-Private"),
            ("x-private", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "gzip, trailers"),
            ("x-kept", "2"),
        ]);
        remove_hop_by_hop(&mut map);
        assert_eq!(map, headers(&[("x-kept", "2"), ("te", "trailers")]));
    }

    #[test]
    fn an_upgrade_must_be_named_by_connection() {
        let wanted = |list: &[(&str, &str)]| wanted_upgrade(&headers(list));
        let websocket = ("upgrade", "websocket");
        assert_eq!(
            wanted(&[("connection", "keep-alive, Upgrade"), websocket]).unwrap(),
            "websocket"
        );
        assert_eq!(wanted(&[("connection", "keep-alive"), websocket]), None);
        assert_eq!(wanted(&[("connection", "upgrade"), ("upgrade", "h2c")]), None);
    }

    #[test]
    fn heads_for_both_versions() {
        let outgoing = || Outgoing {
            method: &Method::GET,
            scheme: "http",
            authority: "reviews:9080",
            path: "/a?b".into(),
            original_path: None,
            headers: headers(&[("x-a", "1")]),
            upgrade: None,
        };
        let one = outgoing().into_request(Version::HTTP_11, RequestBody::Empty).unwrap();
        assert_eq!(one.uri(), "/a?b");
        assert_eq!(one.headers().get("host").unwrap(), "reviews:9080");
        let two = outgoing().into_request(Version::HTTP_2, RequestBody::Empty).unwrap();
        assert_eq!(two.uri(), "http://reviews:9080/a?b");
        assert!(!two.headers().contains_key("host"));
    }
}
