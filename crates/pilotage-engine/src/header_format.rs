//! Command operators in header values: `%REQ(x-user)%`, `%DOWNSTREAM_REMOTE_ADDRESS%` and so on.

mod command;
mod parse;
mod time_format;

use std::io::Write as _;
use std::net::SocketAddr;

use http::{HeaderName, HeaderValue, Version};

pub use self::command::{AddressPart, Command, Token, tokens};
pub use self::time_format::TimeFormat;
use crate::forward::Exchange;
use crate::headers::Headers;
use crate::rejection::FieldError;
use crate::request::{Downstream, RequestHead};
use crate::tls::{TlsOperator, TlsSide};

/// What command operators may look at.
#[derive(Clone, Copy, Debug)]
pub struct FormatContext<'a> {
    /// Request headers.
    pub request_headers: &'a Headers,
    /// Method.
    pub method: &'a str,
    /// Authority.
    pub authority: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// Scheme.
    pub scheme: &'a str,
    /// Version of the client's HTTP.
    pub version: Version,
    /// The client's connection.
    pub downstream: &'a Downstream<'a>,
    /// The client's address as trusted.
    pub client: SocketAddr,
    /// Response headers, once there are any.
    pub response_headers: Option<&'a Headers>,
    /// What else is known.
    pub exchange: &'a Exchange<'a>,
    /// Name of the route.
    pub route_name: &'a str,
}

/// A header value with command operators in it.
#[derive(Clone, Debug)]
pub(crate) enum Template {
    /// No operators.
    Literal(HeaderValue),
    /// Texts and operators.
    Parts(Vec<Part>),
}

/// One piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    Text(String),
    Operator { operator: Operator, max_length: Option<usize> },
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operator {
    RequestHeader {
        name: HeaderSource,
        alternative: Option<HeaderSource>,
    },
    ResponseHeader {
        name: HeaderName,
        alternative: Option<HeaderName>,
    },
    Protocol,
    RemoteAddress {
        direct: bool,
        part: AddressPart,
    },
    LocalAddress(AddressPart),
    UpstreamHost(AddressPart),
    UpstreamCluster,
    /// 0 as long as there is none.
    ResponseCode,
    ResponseCodeDetails,
    ResponseFlags,
    RouteName,
    Hostname,
    RequestedServerName,
    Tls(TlsSide, TlsOperator),
    StartTime(TimeFormat),
    AttemptCount,
    BytesReceived,
    /// Something Envoy knows and this proxy has no value for: always empty.
    Nothing,
}

/// A request header, or one of the parts of the head that go by a header-like name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderSource {
    /// `:method`.
    Method,
    /// `:path`, with the query.
    Path,
    /// `:authority`.
    Authority,
    /// `:scheme`.
    Scheme,
    /// A header.
    Header(HeaderName),
}

impl Template {
    /// Compiles a value.
    ///
    /// # Errors
    /// When an operator is unknown or ill-formed, or the text cannot be a header value.
    pub(crate) fn compile(text: &str) -> Result<Self, FieldError> {
        let mut parts = parse::parts(text)?;
        if let [] | [Part::Text(_)] = parts.as_slice() {
            let literal = match parts.pop() {
                Some(Part::Text(literal)) => literal,
                _ => String::new(),
            };
            let value = HeaderValue::from_str(&literal)
                .map_err(|_| FieldError::new("value", "cannot be a header value"))?;
            return Ok(Self::Literal(value));
        }
        Ok(Self::Parts(parts))
    }

    /// The value for one request. `None`: it would not be a valid header value.
    pub(crate) fn value(&self, context: &FormatContext<'_>) -> Option<HeaderValue> {
        match self {
            Self::Literal(value) => Some(value.clone()),
            Self::Parts(parts) => {
                let mut out = Vec::with_capacity(64);
                for part in parts {
                    match part {
                        Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                        Part::Operator { operator, max_length } => {
                            let start = out.len();
                            operator.write(context, &mut out);
                            if let Some(limit) = max_length {
                                out.truncate(start.saturating_add(*limit).min(out.len()));
                            }
                        }
                    }
                }
                HeaderValue::from_bytes(&out).ok()
            }
        }
    }

    /// Whether the value tells something of the request's head.
    pub(crate) fn tells_of_request(&self) -> bool {
        let tells = |part: &Part| {
            matches!(part, Part::Operator { operator: Operator::RequestHeader { .. }, .. })
        };
        matches!(self, Self::Parts(parts) if parts.iter().any(tells))
    }

    /// Operators that never have a value here.
    pub(crate) fn has_unsupported(&self) -> bool {
        match self {
            Self::Literal(_) => false,
            Self::Parts(parts) => parts
                .iter()
                .any(|p| matches!(p, Part::Operator { operator: Operator::Nothing, .. })),
        }
    }
}

impl Operator {
    /// Appends the value; nothing when there is none.
    fn write(&self, context: &FormatContext<'_>, out: &mut Vec<u8>) {
        match self {
            Self::RequestHeader { name, alternative } => {
                if !name.write(context, out)
                    && let Some(other) = alternative
                {
                    other.write(context, out);
                }
            }
            Self::ResponseHeader { name, alternative } => {
                let Some(headers) = context.response_headers else { return };
                let value = headers
                    .get(name)
                    .or_else(|| alternative.as_ref().and_then(|other| headers.get(other)));
                out.extend_from_slice(value.map(HeaderValue::as_bytes).unwrap_or_default());
            }
            Self::Protocol => out.extend_from_slice(protocol(context.version).as_bytes()),
            Self::RemoteAddress { direct: true, part } => {
                part.write(context.downstream.peer, out);
            }
            Self::RemoteAddress { direct: false, part } => part.write(context.client, out),
            Self::LocalAddress(part) => part.write(context.downstream.local, out),
            Self::UpstreamHost(part) => {
                if let Some(address) = context.exchange.upstream {
                    part.write(address, out);
                }
            }
            Self::ResponseCode => append(out, context.exchange.status.unwrap_or(0)),
            Self::UpstreamCluster => {
                out.extend_from_slice(context.exchange.cluster.unwrap_or_default().as_bytes());
            }
            Self::ResponseCodeDetails => {
                out.extend_from_slice(context.exchange.details.as_bytes());
            }
            Self::ResponseFlags if context.exchange.flags.is_empty() => out.push(b'-'),
            Self::ResponseFlags => append(out, context.exchange.flags),
            Self::RouteName => out.extend_from_slice(context.route_name.as_bytes()),
            Self::Hostname => out.extend_from_slice(context.exchange.hostname.as_bytes()),
            Self::RequestedServerName => {
                let name = context.downstream.server_name.unwrap_or_default();
                out.extend_from_slice(name.as_bytes());
            }
            Self::Tls(side, operator) => {
                let session = match side {
                    TlsSide::Downstream => context.downstream.session,
                    TlsSide::Upstream => context.exchange.upstream_tls,
                };
                let text = session.map(|session| operator.text(session)).unwrap_or_default();
                out.extend_from_slice(text.as_bytes());
            }
            Self::StartTime(format) => append(out, format.at(context.exchange.start)),
            Self::AttemptCount => append(out, context.exchange.attempts),
            Self::BytesReceived => append(out, context.exchange.bytes_received),
            Self::Nothing => {}
        }
    }
}

impl HeaderSource {
    pub(crate) fn new(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            ":method" => Self::Method,
            ":path" => Self::Path,
            ":authority" | "host" => Self::Authority,
            ":scheme" => Self::Scheme,
            name => Self::Header(HeaderName::from_bytes(name.as_bytes()).ok()?),
        })
    }

    /// What a request has there, of several values the first; nothing where that is no text.
    pub(crate) fn first_text_in<'h>(&self, head: &RequestHead<'h>) -> Option<&'h str> {
        match self {
            Self::Method => Some(head.method.as_str()),
            Self::Path => Some(head.path),
            Self::Authority => Some(head.authority),
            Self::Scheme => Some(head.scheme),
            Self::Header(name) => head.headers.get(name)?.to_str().ok(),
        }
    }

    fn write(&self, context: &FormatContext<'_>, out: &mut Vec<u8>) -> bool {
        let text = match self {
            Self::Method => context.method,
            Self::Path => context.path,
            Self::Authority => context.authority,
            Self::Scheme => context.scheme,
            Self::Header(name) => {
                let value = context.request_headers.get(name);
                out.extend_from_slice(value.map(HeaderValue::as_bytes).unwrap_or_default());
                return value.is_some();
            }
        };
        out.extend_from_slice(text.as_bytes());
        true
    }
}

/// The name of an HTTP version as Envoy prints it.
pub fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    }
}

fn append(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    let written = write!(out, "{value}");
    debug_assert!(written.is_ok(), "writing to memory does not fail");
}

#[cfg(test)]
mod tests;
