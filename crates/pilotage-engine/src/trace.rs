//! Watching a decision being taken.

use std::fmt;

use crate::path::without_query;
use crate::request::RequestHead;
use crate::route::RouteEntry;
use crate::route_match::{HeaderMatch, MetadataMatch, QueryMatch};
use crate::virtual_host::VirtualHost;

/// Receives each step of [`crate::decide`]. Every method does nothing unless overridden; with [`NoTrace`] all calls
/// vanish from the compiled code.
pub trait Trace {
    /// Whether somebody listens: lets the decision skip preparing what would be thrown away.
    const ACTIVE: bool = true;

    /// `chosen` is the virtual host of requests to `authority`, or there is none.
    fn virtual_host(&mut self, authority: &str, chosen: Option<&VirtualHost>) {
        let _ = (authority, chosen);
    }

    /// Route `index` of the virtual host is tried.
    fn route(&mut self, index: usize, route: &RouteEntry) {
        let _ = (index, route);
    }

    /// One condition of the route being tried holds for the request or does not.
    fn condition(&mut self, condition: Condition<'_>, head: &RequestHead<'_>, holds: bool) {
        let _ = (condition, head, holds);
    }

    /// Cluster `index` of a weighted route was drawn: `draw` of `total` fell to it.
    fn weighted_cluster(&mut self, index: usize, cluster: &str, draw: u64, total: u64) {
        let _ = (index, cluster, draw, total);
    }

    /// The cluster that the route names was looked up.
    fn cluster(&mut self, name: &str, exists: bool) {
        let _ = (name, exists);
    }

    /// Something else that shaped the outcome, in words: a fault drawn, a mirror, a CORS answer.
    fn note(&mut self, note: fmt::Arguments<'_>) {
        let _ = note;
    }
}

/// One condition of a route match.
#[derive(Clone, Copy, Debug)]
pub enum Condition<'a> {
    /// On the path: kind (`prefix`, `path`, `safe_regex`, `path_separated_prefix`, `connect`) and operand.
    Path(&'static str, &'a str),
    /// On a header.
    Header(&'a HeaderMatch),
    /// On a query parameter.
    QueryParameter(&'a QueryMatch),
    /// A share of all requests, in millionths.
    Fraction(u32),
    /// The request must be gRPC.
    Grpc,
    /// On what a filter found out.
    Metadata(&'a MetadataMatch),
}

impl Condition<'_> {
    /// What it looks at: `path`, `header`, `query`, `fraction`, `grpc` or `metadata`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Path(..) => "path",
            Self::Header(_) => "header",
            Self::QueryParameter(_) => "query",
            Self::Fraction(_) => "fraction",
            Self::Grpc => "grpc",
            Self::Metadata(_) => "metadata",
        }
    }

    /// The name of the header or query parameter, or filter and path of metadata; empty for the others.
    pub fn name(&self) -> &str {
        match self {
            Self::Header(header) => header.name(),
            Self::QueryParameter(parameter) => parameter.name(),
            Self::Metadata(metadata) => metadata.name(),
            Self::Path(..) | Self::Fraction(_) | Self::Grpc => "",
        }
    }

    /// What it wants, in the words of Istio's API: `exact jason`, `prefix /api`, `present`, `not regex .*`.
    pub fn wanted(&self) -> String {
        match self {
            Self::Path("path", operand) => format!("exact {operand}"),
            Self::Path("safe_regex", operand) => format!("regex {operand}"),
            Self::Path("path_separated_prefix", operand) => format!("path prefix {operand}"),
            Self::Path("connect", _) => "CONNECT".to_owned(),
            Self::Path(kind, operand) => format!("{kind} {operand}"),
            Self::Header(header) => header.wanted(),
            Self::QueryParameter(parameter) => parameter.wanted(),
            Self::Fraction(millionths) => format!("{} %", f64::from(*millionths) / 10_000.0),
            Self::Grpc => "gRPC".to_owned(),
            Self::Metadata(metadata) => metadata.wanted(),
        }
    }

    /// What the request has there; nothing when it has nothing.
    pub fn got(&self, head: &RequestHead<'_>) -> Option<String> {
        match self {
            Self::Path("connect", _) => Some(head.method.to_string()),
            Self::Path(..) => Some(without_query(head.path).to_owned()),
            Self::Header(header) => header.value_in(head),
            Self::QueryParameter(parameter) => parameter.value_in(head.path).map(str::to_owned),
            Self::Grpc => {
                let kind = head.headers.get(http::header::CONTENT_TYPE)?;
                Some(String::from_utf8_lossy(kind.as_bytes()).into_owned())
            }
            Self::Metadata(metadata) => metadata.value_in(head),
            Self::Fraction(_) => None,
        }
    }
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTrace;

impl Trace for NoTrace {
    const ACTIVE: bool = false;
}
