//! Hashing a request by the policies of its route.

use http::HeaderValue;
use http::header::COOKIE;
use xxhash_rust::xxh64::xxh64;

use super::{HashPolicy, HashSource};
use crate::headers::Headers;
use crate::path::query_parameter;
use crate::request::RequestHead;

/// The hash of a request, and the cookie to set so that the next request has the same.
#[derive(Debug, Default)]
pub(crate) struct Hashed {
    pub(crate) hash: Option<u64>,
    pub(crate) set_cookie: Option<HeaderValue>,
}

/// Hashes `head`. Each policy's value is mixed into those before it; policies without a value are left out.
pub(crate) fn hash(policies: &[HashPolicy], head: &RequestHead<'_>) -> Hashed {
    let mut hashed = Hashed::default();
    for policy in policies {
        if let Some(value) = policy.source.hash(head, &mut hashed.set_cookie) {
            // Turned first, so that two equal policies do not cancel each other out.
            hashed.hash = Some(hashed.hash.unwrap_or(0).rotate_left(1) ^ value);
        }
        if policy.terminal && hashed.hash.is_some() {
            break;
        }
    }
    hashed
}

impl HashSource {
    fn hash(&self, head: &RequestHead<'_>, set_cookie: &mut Option<HeaderValue>) -> Option<u64> {
        match self {
            Self::Header(name) => {
                let mut values: Vec<_> =
                    head.headers.get_all(name).map(HeaderValue::as_bytes).collect();
                values.sort_unstable();
                let chain = |seed, value: &&[u8]| xxh64(value, seed);
                (!values.is_empty()).then(|| values.iter().fold(0, chain))
            }
            Self::Cookie { name, ttl, .. } => {
                let sent = cookie(head.headers, name).filter(|value| !value.is_empty());
                let value = match (sent, ttl) {
                    (Some(value), _) => value.to_owned(),
                    (None, None) => return None,
                    (None, Some(_)) => {
                        let value = new_cookie_value(head);
                        *set_cookie = self.set_cookie(&value);
                        value
                    }
                };
                Some(xxh64(value.as_bytes(), 0))
            }
            Self::SourceIp => Some(xxh64(head.client.ip().to_string().as_bytes(), 0)),
            Self::QueryParameter(name) => {
                query_parameter(head.path, name).map(|value| xxh64(value.as_bytes(), 0))
            }
        }
    }

    /// The `set-cookie` of a new cookie.
    fn set_cookie(&self, value: &str) -> Option<HeaderValue> {
        let Self::Cookie { name, ttl, path, attributes } = self else { return None };
        let mut text = format!("{name}=\"{value}\"");
        if let Some(ttl) = ttl.filter(|ttl| !ttl.is_zero()) {
            text.push_str(&format!("; Max-Age={}", ttl.as_secs()));
        }
        if !path.is_empty() {
            text.push_str(&format!("; Path={path}"));
        }
        for (name, value) in attributes {
            text.push_str(&format!("; {name}"));
            if !value.is_empty() {
                text.push_str(&format!("={value}"));
            }
        }
        text.push_str("; HttpOnly");
        HeaderValue::from_str(&text).ok()
    }
}

/// The value of a new cookie: the same for all requests of one connection.
fn new_cookie_value(head: &RequestHead<'_>) -> String {
    let addresses = format!("{}{}", head.client, head.downstream.local);
    format!("{:016x}", xxh64(addresses.as_bytes(), 0))
}

/// The value of cookie `name`, without quotes around it.
fn cookie<'h>(headers: &'h Headers, name: &str) -> Option<&'h str> {
    let pairs = headers
        .get_all(COOKIE)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    let (_, value) =
        pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| key.trim() == name)?;
    let value = value.trim();
    Some(value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderValue, Method, Version};
    use xxhash_rust::xxh64::xxh64;

    use super::{Hashed, hash};
    use crate::hash_policy::{HashPolicy, HashSource};
    use crate::headers::Headers;
    use crate::request::{Downstream, RequestHead};

    fn hashed(sources: Vec<HashSource>, terminal: bool) -> Hashed {
        let mut headers = Headers::new();
        headers.append("x-user", HeaderValue::from_static("b"));
        headers.append("x-user", HeaderValue::from_static("a"));
        headers.insert("cookie", HeaderValue::from_static("t=1; u=\"two\""));
        let downstream =
            Downstream::plain(([10, 0, 0, 1], 4000).into(), ([10, 0, 0, 2], 80).into());
        let head = RequestHead {
            method: &Method::GET,
            scheme: "http",
            authority: "a",
            path: "/?q=v",
            version: Version::HTTP_11,
            headers: &headers,
            downstream: &downstream,
            client: downstream.peer,
            metadata: None,
        };
        let policies: Vec<_> =
            sources.into_iter().map(|source| HashPolicy { source, terminal }).collect();
        hash(&policies, &head)
    }

    fn cookie(name: &str, ttl: Option<Duration>) -> HashSource {
        let attributes = vec![("SameSite".into(), "Lax".into())];
        HashSource::Cookie { name: name.into(), ttl, path: "/p".into(), attributes }
    }

    #[test]
    fn every_source_is_hashed() {
        let header = |name| HashSource::Header(http::HeaderName::from_static(name));
        for (source, expected) in [
            (header("x-user"), Some(xxh64(b"b", xxh64(b"a", 0)))),
            (header("x-none"), None),
            (HashSource::SourceIp, Some(xxh64(b"10.0.0.1", 0))),
            (HashSource::QueryParameter("q".into()), Some(xxh64(b"v", 0))),
            (HashSource::QueryParameter("z".into()), None),
            (cookie("u", None), Some(xxh64(b"two", 0))),
            (cookie("none", None), None),
        ] {
            assert_eq!(hashed(vec![source.clone()], false).hash, expected, "{source:?}");
        }
    }

    #[test]
    fn policies_are_mixed_until_a_terminal_one() {
        let ip = xxh64(b"10.0.0.1", 0);
        let twice = vec![HashSource::SourceIp, HashSource::SourceIp];
        assert_eq!(hashed(twice.clone(), false).hash, Some(ip.rotate_left(1) ^ ip));
        assert_eq!(hashed(twice, true).hash, Some(ip));
    }

    #[test]
    fn a_missing_cookie_with_a_life_is_set() {
        let minute = Some(Duration::from_secs(60));
        let made = hashed(vec![cookie("new", minute)], false);
        let text = made.set_cookie.unwrap().to_str().unwrap().to_owned();
        assert!(text.starts_with("new=\""), "{text}");
        assert!(text.ends_with("\"; Max-Age=60; Path=/p; SameSite=Lax; HttpOnly"), "{text}");
        assert!(made.hash.is_some());
        let session = hashed(vec![cookie("new", Some(Duration::ZERO))], false).set_cookie.unwrap();
        assert!(!session.to_str().unwrap().contains("Max-Age"));
        assert!(hashed(vec![cookie("t", minute)], false).set_cookie.is_none());
    }
}
