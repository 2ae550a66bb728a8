//! What a route table makes of a request.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{Method, Version};
use pilotage_engine::headers::Headers;
use pilotage_engine::request::{Downstream, RequestHead};
use pilotage_engine::route::RouteEntry;

/// What takes a request.
#[derive(Debug)]
pub(super) enum Entry {
    /// No route.
    None(Box<Sent>),
    /// A route that sends it on.
    Forwarded(Box<Forwarded>),
    /// A route, or a virtual host that demands TLS, that answers by itself.
    Direct(Box<Direct>),
}

/// A request that is sent on.
#[derive(Debug)]
pub(super) struct Forwarded {
    pub(super) route: Arc<RouteEntry>,
    pub(super) cluster: String,
    pub(super) weighted_index: usize,
    pub(super) sent: Sent,
    /// Headers of the answer.
    pub(super) answer: Headers,
}

/// A request that is answered.
#[derive(Debug)]
pub(super) struct Direct {
    /// The route; nothing when the virtual host demands TLS.
    pub(super) route: Option<Arc<RouteEntry>>,
    pub(super) url: String,
    pub(super) code: u16,
    pub(super) sent: Sent,
    /// Headers of the answer.
    pub(super) answer: Headers,
}

/// The head of a request after routing.
#[derive(Debug)]
pub(super) struct Sent {
    method: Method,
    scheme: String,
    pub(super) authority: String,
    pub(super) path: String,
    headers: Headers,
    peer: SocketAddr,
    tls: bool,
}

impl Sent {
    pub(super) fn new(
        head: &RequestHead<'_>,
        path: String,
        authority: String,
        headers: Headers,
    ) -> Self {
        Self {
            method: head.method.clone(),
            scheme: head.scheme.to_owned(),
            authority,
            path,
            headers,
            peer: head.client,
            tls: head.downstream.tls,
        }
    }

    /// A head that nothing changed.
    pub(super) fn arrived(head: &RequestHead<'_>) -> Self {
        Self::new(head, head.path.to_owned(), head.authority.to_owned(), head.headers.clone())
    }

    /// Gives the head to `use_it` in the form that the engine takes.
    pub(super) fn with<R>(&self, use_it: impl FnOnce(&RequestHead<'_>) -> R) -> R {
        let downstream = Downstream { tls: self.tls, ..Downstream::plain(self.peer, self.peer) };
        use_it(&RequestHead {
            method: &self.method,
            scheme: &self.scheme,
            authority: &self.authority,
            path: &self.path,
            version: Version::HTTP_11,
            headers: &self.headers,
            downstream: &downstream,
            client: self.peer,
            metadata: None,
        })
    }
}

impl Entry {
    pub(super) fn sent(&self) -> &Sent {
        match self {
            Self::None(sent) => sent,
            Self::Forwarded(forwarded) => &forwarded.sent,
            Self::Direct(direct) => &direct.sent,
        }
    }

    /// Headers of the answer.
    pub(super) fn answer(&self) -> Option<&Headers> {
        match self {
            Self::None(_) => None,
            Self::Forwarded(forwarded) => Some(&forwarded.answer),
            Self::Direct(direct) => Some(&direct.answer),
        }
    }

    pub(super) fn forwarded(&self) -> Option<&Forwarded> {
        match self {
            Self::Forwarded(forwarded) => Some(forwarded),
            Self::None(_) | Self::Direct(_) => None,
        }
    }

    pub(super) fn direct(&self) -> Option<&Direct> {
        match self {
            Self::Direct(direct) => Some(direct),
            Self::None(_) | Self::Forwarded(_) => None,
        }
    }

    pub(super) fn route(&self) -> Option<&Arc<RouteEntry>> {
        match self {
            Self::None(_) => None,
            Self::Forwarded(forwarded) => Some(&forwarded.route),
            Self::Direct(direct) => direct.route.as_ref(),
        }
    }
}

impl Sent {
    /// What the header `name` says, pseudo headers included; all values, joined by commas.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        match name {
            ":authority" | "host" => Some(self.authority.clone()),
            ":path" => Some(self.path.clone()),
            ":method" => Some(self.method.to_string()),
            ":scheme" => Some(self.scheme.clone()),
            _ => header(&self.headers, name),
        }
    }
}

/// All values of a header, joined by commas.
pub(super) fn header(headers: &Headers, name: &str) -> Option<String> {
    let name = http::HeaderName::from_bytes(name.as_bytes()).ok()?;
    let values: Vec<_> =
        headers.get_all(&name).map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
    (!values.is_empty()).then(|| values.join(","))
}
