//! One request of a class, and the proof that it is one: both engines are asked.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Version};
use pilotage_engine::headers::Headers;
use pilotage_engine::request::{Downstream, RequestHead};
use pilotage_engine::{Decision, Env, NoTrace, Tables, decide};

use crate::condition::Dimension;
use crate::place::Place;
use crate::region::{Region, Space, Values};
use crate::rules::Taker;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// Method.
    pub method: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Host, and port where it is not that of the scheme.
    pub authority: String,
    /// Path and query.
    pub path: String,
    /// Headers, each once.
    pub headers: Vec<(String, String)>,
}

impl Request {
    /// What the request has there; `None`: nothing.
    pub(crate) fn value(&self, dimension: &Dimension) -> Option<&str> {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        match dimension {
            Dimension::Path => Some(path),
            Dimension::Method => Some(&self.method),
            Dimension::Scheme => Some(&self.scheme),
            Dimension::Authority => Some(&self.authority),
            Dimension::Header(name) => {
                let mut headers = self.headers.iter();
                let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.as_str())
            }
            Dimension::Query(name) => query.split('&').find_map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                (key == &**name && !pair.is_empty()).then_some(value)
            }),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, scheme, authority, path, headers } = self;
        write!(f, "{method} {scheme}://{authority}{path}")?;
        for (name, value) in headers {
            write!(f, "  {name}: {value}")?;
        }
        Ok(())
    }
}

/// Values that people like to see in examples, by part, the best first.
fn liked(dimension: &Dimension, scheme: &'static str) -> &'static [&'static str] {
    match dimension {
        Dimension::Path => &["/"],
        Dimension::Method => &["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"],
        Dimension::Scheme if scheme == "https" => &["https", "http"],
        Dimension::Scheme => &["http", "https"],
        Dimension::Header(_) | Dimension::Query(_) | Dimension::Authority => &[],
    }
}

/// A request of `region` to `authority`.
pub(crate) fn example(
    space: &mut Space,
    region: &Region,
    authority: &str,
    scheme: &'static str,
) -> Request {
    let mut request = Request {
        method: "GET".to_owned(),
        scheme: scheme.to_owned(),
        authority: authority.to_owned(),
        path: "/".to_owned(),
        headers: Vec::new(),
    };
    let mut query = Vec::new();
    for (part, values) in region.iter() {
        let Some(dimension) = space.dimension(part).cloned() else { continue };
        let Some(value) = pick(space, values, liked(&dimension, scheme)) else { continue };
        match dimension {
            Dimension::Path => request.path = value,
            Dimension::Header(name) => request.headers.push((name.into(), value)),
            Dimension::Query(name) => match value.is_empty() {
                true => query.push(name.into_string()),
                false => query.push(format!("{name}={value}")),
            },
            Dimension::Method => request.method = value,
            Dimension::Scheme => request.scheme = value,
            Dimension::Authority => request.authority = value,
        }
    }
    if !query.is_empty() {
        request.path.push_str(&format!("?{}", query.join("&")));
    }
    request
}

/// One of `values`; `None`: nothing has to be there.
fn pick(space: &Space, values: Values, liked: &[&str]) -> Option<String> {
    if values.absent {
        return None;
    }
    let liked = liked.iter().find(|word| space.algebra.contains(values.present, word.as_bytes()));
    match liked {
        Some(word) => Some((*word).to_owned()),
        None => {
            let word = space.algebra.word(values.present).unwrap_or_default();
            Some(String::from_utf8_lossy(&word).into_owned())
        }
    }
}

/// Who takes `request` at `place`, as the engine decides. `None`: it cannot be sent at all.
pub(crate) fn taker(tables: &Tables, place: Option<&Place>, request: &Request) -> Option<Taker> {
    let Some(place) = place else { return Some(Taker::Nobody) };
    let method = Method::from_bytes(request.method.as_bytes()).ok()?;
    let mut headers = Headers::new();
    for (name, value) in &request.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_str(value).ok()?);
    }
    headers.insert(
        HeaderName::from_static("x-forwarded-proto"),
        HeaderValue::from_str(&request.scheme).ok()?,
    );
    let client = SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000));
    let downstream = Downstream {
        tls: place.tls,
        ..Downstream::plain(
            client,
            SocketAddr::from((Ipv4Addr::LOCALHOST, place.port().unwrap_or(80))),
        )
    };
    let head = RequestHead {
        method: &method,
        scheme: &request.scheme,
        authority: &request.authority,
        path: &request.path,
        version: Version::HTTP_11,
        headers: &headers,
        downstream: &downstream,
        client,
        metadata: None,
    };
    let mut chance = || 0;
    let mut env = Env { now: Duration::ZERO, unix_time: Duration::ZERO, rng: &mut chance };
    Some(match decide(tables, &place.manager, &head, &mut env, &mut NoTrace) {
        Decision::Forward(forward) => Taker::Route(forward.route.index),
        Decision::Reply(reply) => match &reply.route {
            Some(route) => Taker::Route(route.index),
            None if reply.status == http::StatusCode::MOVED_PERMANENTLY => Taker::Https,
            None => Taker::Nobody,
        },
    })
}
