//! Access log formats: Envoy's command operators, parsed once and rendered per request.

mod piece;
mod value;

use std::sync::Arc;
use std::time::SystemTime;

use http::HeaderName;

use self::piece::{AddressPart, GrpcForm, Headers, Piece};
use super::{LogFormat, Record};

/// Istio's default text format (field `accessLogFormat` of MeshConfig when empty), then the origin of the route.
const TEXT: &str = concat!(
    r#"[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" "#,
    r#"%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "#,
    r#""%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "#,
    r#"%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "#,
    r#""%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% "#,
    r#"%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% "#,
    "%REQUESTED_SERVER_NAME% %ROUTE_NAME% \"%ORIGIN%\"\n",
);

/// Istio's default JSON keys in the order Envoy prints them (sorted), and ours: `origin`.
const JSON: &[(&str, &str)] = &[
    ("authority", "%REQ(:AUTHORITY)%"),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    ("connection_termination_details", "%CONNECTION_TERMINATION_DETAILS%"),
    ("downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"),
    ("downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"),
    ("duration", "%DURATION%"),
    ("method", "%REQ(:METHOD)%"),
    ("origin", "%ORIGIN%"),
    ("path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"),
    ("protocol", "%PROTOCOL%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
    ("requested_server_name", "%REQUESTED_SERVER_NAME%"),
    ("response_code", "%RESPONSE_CODE%"),
    ("response_code_details", "%RESPONSE_CODE_DETAILS%"),
    ("response_flags", "%RESPONSE_FLAGS%"),
    ("route_name", "%ROUTE_NAME%"),
    ("start_time", "%START_TIME%"),
    ("upstream_cluster", "%UPSTREAM_CLUSTER_RAW%"),
    ("upstream_host", "%UPSTREAM_HOST%"),
    ("upstream_local_address", "%UPSTREAM_LOCAL_ADDRESS%"),
    ("upstream_service_time", "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"),
    ("upstream_transport_failure_reason", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"),
    ("user_agent", "%REQ(USER-AGENT)%"),
    ("x_forwarded_for", "%REQ(X-FORWARDED-FOR)%"),
];

/// Why a format string cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// An operator that does not exist, or is not built.
    #[error("access log operator %{0}% is not supported")]
    Unsupported(String),
    /// A `%` without its partner.
    #[error("access log format: `%` without an end at byte {0}; write `%%` for the sign itself")]
    Unclosed(usize),
    /// The format of a time.
    #[error("access log format: {0}")]
    Time(String),
    /// The argument of `%REQ(…)%` or `%RESP(…)%` is not a header name.
    #[error("access log format: `{0}` is not a header name")]
    HeaderName(String),
}

/// A parsed format.
#[derive(Debug)]
pub(crate) struct Format {
    shape: Shape,
    headers: Headers,
    /// Name of this machine.
    hostname: Arc<str>,
}

#[derive(Debug)]
enum Shape {
    Text(Vec<Piece>),
    Json(Vec<(&'static str, Piece)>),
}

/// The wall clock when a line is rendered; a request began its duration earlier.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RenderTime(SystemTime);

impl RenderTime {
    pub(crate) fn now() -> Self {
        Self(SystemTime::now())
    }
}

/// An operator as it is written: `NAME(argument):length%`.
struct Written<'a> {
    name: &'a str,
    argument: Option<&'a str>,
    length: Option<usize>,
    /// What follows.
    rest: &'a str,
}

impl<'a> Written<'a> {
    /// Reads what stands after the opening sign. `None`: there is no end.
    fn read(text: &'a str) -> Option<Self> {
        let word = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let (name, rest) = text.split_at(text.find(|c| !word(c))?);
        let (argument, rest) = match rest.strip_prefix('(') {
            Some(inner) => inner.split_once(')').map(|(argument, rest)| (Some(argument), rest))?,
            None => (None, rest),
        };
        let (length, rest) = match rest.strip_prefix(':') {
            Some(digits) => digits.split_once('%')?,
            None => ("", rest.strip_prefix('%')?),
        };
        let length = if length.is_empty() { None } else { Some(length.parse().ok()?) };
        Some(Self { name, argument, length, rest })
    }
}

impl Format {
    /// Parses a format. `hostname` is the name of this machine.
    ///
    /// # Errors
    /// On operators that do not exist or are not supported.
    pub(crate) fn new(format: &LogFormat, hostname: &str) -> Result<Self, FormatError> {
        let shape = Shape::Text(Vec::new());
        let mut parsed = Self { shape, headers: Headers::default(), hostname: hostname.into() };
        parsed.shape = match format {
            LogFormat::Text => Shape::Text(parsed.pieces(TEXT)?),
            LogFormat::Custom(text) => Shape::Text(parsed.pieces(text)?),
            LogFormat::Json => {
                let mut keys = Vec::new();
                for (key, text) in JSON {
                    for piece in parsed.pieces(text)? {
                        keys.push((*key, piece));
                    }
                }
                Shape::Json(keys)
            }
        };
        Ok(parsed)
    }

    /// The request headers that the format prints.
    pub(crate) fn request_headers(&self) -> &[HeaderName] {
        &self.headers.request
    }

    /// The response headers that the format prints.
    pub(crate) fn response_headers(&self) -> &[HeaderName] {
        &self.headers.response
    }

    fn pieces(&mut self, text: &str) -> Result<Vec<Piece>, FormatError> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            literal.push_str(before);
            let at = text.len() - after.len() - 1;
            if let Some(after) = after.strip_prefix('%') {
                literal.push('%');
                rest = after;
                continue;
            }
            let written = Written::read(after).ok_or(FormatError::Unclosed(at))?;
            rest = written.rest;
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            let piece = self.headers.operator(written.name, written.argument)?;
            pieces.push(match written.length {
                Some(length) => Piece::Cut(Box::new(piece), length),
                None => piece,
            });
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(pieces)
    }

    /// Appends one line for `record`.
    pub(crate) fn render(&self, record: &Record, time: RenderTime, out: &mut Vec<u8>) {
        match &self.shape {
            Shape::Text(pieces) => {
                for piece in pieces {
                    if !self.value(piece, record, time, out) {
                        out.push(b'-');
                    }
                }
            }
            Shape::Json(keys) => self.render_json(keys, record, time, out),
        }
    }

    fn render_json(
        &self,
        keys: &[(&'static str, Piece)],
        record: &Record,
        time: RenderTime,
        out: &mut Vec<u8>,
    ) {
        let mut scratch = Vec::new();
        let mut separator = b'{';
        for (key, piece) in keys {
            out.push(separator);
            separator = b',';
            out.push(b'"');
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b"\":");
            scratch.clear();
            let present = self.value(piece, record, time, &mut scratch);
            if !present {
                out.extend_from_slice(b"null");
            } else if is_number(piece) {
                out.extend_from_slice(&scratch);
            } else {
                let text = String::from_utf8_lossy(&scratch);
                let escaped = serde_json::Value::String(text.into_owned()).to_string();
                out.extend_from_slice(escaped.as_bytes());
            }
        }
        out.extend_from_slice(b"}\n");
    }
}

fn is_number(piece: &Piece) -> bool {
    matches!(
        piece,
        Piece::Status
            | Piece::BytesReceived
            | Piece::BytesSent
            | Piece::Duration
            | Piece::Attempts
            | Piece::GrpcStatus(GrpcForm::Number)
            | Piece::Address(_, AddressPart::Port)
    )
}

#[cfg(test)]
mod tests;
