//! Access log formats: Envoy's command operators, parsed once and rendered per request.

mod piece;
mod value;

use std::sync::Arc;
use std::time::SystemTime;

use http::HeaderName;
use pilotage_engine::header_format::{AddressPart, Token, tokens};

use self::piece::{GrpcForm, Headers, Piece};
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
    /// A `%` that begins no operator.
    #[error("access log format: no operator after `%` at byte {0}; write `%%` for the sign itself")]
    Unclosed(usize),
    /// What stands in the parentheses of an operator.
    #[error("access log format: {0}")]
    Argument(String),
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
        let mut piece = |token| {
            let command = match token {
                Token::Text(text) => return Ok(Piece::Literal(text)),
                Token::Command(command) => command,
            };
            let piece = self.headers.operator(command.name, command.argument)?;
            Ok(match command.max_length {
                Some(length) => Piece::Cut(Box::new(piece), length),
                None => piece,
            })
        };
        tokens(text).map_err(FormatError::Unclosed)?.into_iter().map(&mut piece).collect()
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
