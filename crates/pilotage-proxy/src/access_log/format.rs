//! Access log formats: Envoy's command operators, parsed once and rendered per request.

use std::fmt::Display;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderName, HeaderValue, Version};

use super::tls::TlsPiece;
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
    /// The argument of `%REQ(…)%` or `%RESP(…)%` is not a header name.
    #[error("access log format: `{0}` is not a header name")]
    HeaderName(String),
}

/// A parsed format.
#[derive(Debug)]
pub(crate) struct Format {
    shape: Shape,
    request_headers: Vec<HeaderName>,
    response_headers: Vec<HeaderName>,
}

#[derive(Debug)]
enum Shape {
    Text(Vec<Piece>),
    Json(Vec<(&'static str, Piece)>),
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Literal(String),
    StartTime,
    Request(Source, Option<Source>),
    Response(usize, Option<usize>),
    Protocol,
    Status,
    Flags,
    Details,
    Termination,
    TransportFailure,
    BytesReceived,
    BytesSent,
    Duration,
    UpstreamHost,
    UpstreamCluster,
    UpstreamLocal,
    DownstreamLocal,
    DownstreamRemote,
    DownstreamRemoteIp,
    ServerName,
    Tls(TlsPiece),
    RouteName,
    Origin,
    Attempts,
}

/// Where a `%REQ(…)%` value comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Source {
    Method,
    Path,
    Authority,
    /// Index into the captured request headers.
    Header(usize),
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
    /// Parses the format of `settings`.
    ///
    /// # Errors
    /// On operators that do not exist or are not supported.
    pub(crate) fn new(format: &LogFormat) -> Result<Self, FormatError> {
        let shape = Shape::Text(Vec::new());
        let mut parsed = Self { shape, request_headers: Vec::new(), response_headers: Vec::new() };
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
        &self.request_headers
    }

    /// The response headers that the format prints.
    pub(crate) fn response_headers(&self) -> &[HeaderName] {
        &self.response_headers
    }

    fn pieces(&mut self, text: &str) -> Result<Vec<Piece>, FormatError> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            literal.push_str(before);
            let at = text.len() - after.len() - 1;
            let (operator, after) = after.split_once('%').ok_or(FormatError::Unclosed(at))?;
            rest = after;
            if operator.is_empty() {
                literal.push('%');
                continue;
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(self.operator(operator)?);
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(pieces)
    }

    fn operator(&mut self, operator: &str) -> Result<Piece, FormatError> {
        if let Some(argument) = argument(operator, "REQ") {
            let (main, other) = alternatives(argument);
            let main = self.request_source(main)?;
            let other = other.map(|name| self.request_source(name)).transpose()?;
            return Ok(Piece::Request(main, other));
        }
        if let Some(argument) = argument(operator, "RESP") {
            let (main, other) = alternatives(argument);
            let main = index_of(&mut self.response_headers, main)?;
            let other = other.map(|name| index_of(&mut self.response_headers, name)).transpose()?;
            return Ok(Piece::Response(main, other));
        }
        Ok(match operator {
            "START_TIME" => Piece::StartTime,
            "PROTOCOL" => Piece::Protocol,
            "RESPONSE_CODE" => Piece::Status,
            "RESPONSE_FLAGS" => Piece::Flags,
            "RESPONSE_CODE_DETAILS" => Piece::Details,
            "CONNECTION_TERMINATION_DETAILS" => Piece::Termination,
            "UPSTREAM_TRANSPORT_FAILURE_REASON" => Piece::TransportFailure,
            "BYTES_RECEIVED" => Piece::BytesReceived,
            "BYTES_SENT" => Piece::BytesSent,
            "DURATION" => Piece::Duration,
            "UPSTREAM_HOST" => Piece::UpstreamHost,
            "UPSTREAM_CLUSTER" | "UPSTREAM_CLUSTER_RAW" => Piece::UpstreamCluster,
            "UPSTREAM_LOCAL_ADDRESS" => Piece::UpstreamLocal,
            "DOWNSTREAM_LOCAL_ADDRESS" => Piece::DownstreamLocal,
            "DOWNSTREAM_REMOTE_ADDRESS" => Piece::DownstreamRemote,
            "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => Piece::DownstreamRemoteIp,
            "REQUESTED_SERVER_NAME" => Piece::ServerName,
            "ROUTE_NAME" => Piece::RouteName,
            "ORIGIN" => Piece::Origin,
            "UPSTREAM_REQUEST_ATTEMPT_COUNT" => Piece::Attempts,
            _ => {
                let piece = TlsPiece::of(operator).map(Piece::Tls);
                return piece.ok_or_else(|| FormatError::Unsupported(operator.to_owned()));
            }
        })
    }

    fn request_source(&mut self, name: &str) -> Result<Source, FormatError> {
        Ok(match name.to_ascii_lowercase().as_str() {
            ":method" => Source::Method,
            ":path" => Source::Path,
            ":authority" => Source::Authority,
            name => Source::Header(index_of(&mut self.request_headers, name)?),
        })
    }

    /// Appends one line for `record`.
    pub(crate) fn render(&self, record: &Record, time: RenderTime, out: &mut Vec<u8>) {
        match &self.shape {
            Shape::Text(pieces) => {
                for piece in pieces {
                    if !value(piece, record, time, out) {
                        out.push(b'-');
                    }
                }
            }
            Shape::Json(keys) => render_json(keys, record, time, out),
        }
    }
}

fn render_json(
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
        let present = value(piece, record, time, &mut scratch);
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

fn is_number(piece: &Piece) -> bool {
    matches!(
        piece,
        Piece::Status | Piece::BytesReceived | Piece::BytesSent | Piece::Duration | Piece::Attempts
    )
}

/// Appends the value of `piece`; false when it has none.
fn value(piece: &Piece, record: &Record, time: RenderTime, out: &mut Vec<u8>) -> bool {
    let captured = &record.captured;
    match piece {
        Piece::Literal(text) => bytes(Some(text.as_bytes()), out),
        Piece::StartTime => {
            write_time(time.0.checked_sub(record.duration).unwrap_or(time.0), out);
            true
        }
        Piece::Request(main, other) => {
            request(*main, record, out) || other.is_some_and(|other| request(other, record, out))
        }
        Piece::Response(main, other) => {
            header(&captured.response, *main, out)
                || other.is_some_and(|other| header(&captured.response, other, out))
        }
        Piece::Protocol => bytes(record.protocol.map(|version| protocol(version).as_bytes()), out),
        Piece::Status => display(Some(record.status), out),
        Piece::Flags => !record.flags.is_empty() && display(Some(record.flags), out),
        Piece::Details => bytes(Some(record.details.as_bytes()), out),
        Piece::Termination => bytes(record.termination.map(str::as_bytes), out),
        Piece::TransportFailure => {
            // One word, as Envoy prints it.
            let reason = record.transport_failure.as_deref().map(|text| text.replace(' ', "_"));
            bytes(reason.as_deref().map(str::as_bytes), out)
        }
        Piece::BytesReceived => display(Some(record.bytes_received), out),
        Piece::BytesSent => display(Some(record.bytes_sent), out),
        Piece::Duration => display(Some(record.duration.as_millis()), out),
        Piece::UpstreamHost => display(record.upstream_host.as_ref(), out),
        Piece::UpstreamCluster => bytes(record.upstream_cluster.as_deref().map(str::as_bytes), out),
        Piece::UpstreamLocal => display(record.upstream_local, out),
        Piece::DownstreamLocal => display(Some(record.downstream_local), out),
        Piece::DownstreamRemote => display(Some(record.downstream_remote), out),
        Piece::DownstreamRemoteIp => display(Some(record.downstream_remote.ip()), out),
        Piece::ServerName => bytes(record.server_name.as_deref().map(str::as_bytes), out),
        Piece::Tls(piece) => bytes(Some(piece.text(record.tls.as_ref()).as_bytes()), out),
        Piece::RouteName => bytes(record.route_name.as_deref().map(str::as_bytes), out),
        Piece::Origin => bytes(record.origin.as_deref().map(str::as_bytes), out),
        Piece::Attempts => display(Some(record.attempts), out),
    }
}

fn request(source: Source, record: &Record, out: &mut Vec<u8>) -> bool {
    let captured = &record.captured;
    match source {
        Source::Method if record.protocol.is_none() => false,
        Source::Method => bytes(Some(captured.method.as_str().as_bytes()), out),
        Source::Path => bytes(captured.path.as_ref().map(|path| path.as_str().as_bytes()), out),
        Source::Authority => bytes(captured.authority.as_ref().map(HeaderValue::as_bytes), out),
        Source::Header(index) => header(&captured.request, index, out),
    }
}

fn header(values: &[Option<HeaderValue>], index: usize, out: &mut Vec<u8>) -> bool {
    bytes(values.get(index).and_then(Option::as_ref).map(HeaderValue::as_bytes), out)
}

fn bytes(value: Option<&[u8]>, out: &mut Vec<u8>) -> bool {
    match value {
        Some(value) if !value.is_empty() => {
            out.extend_from_slice(value);
            true
        }
        _ => false,
    }
}

fn display<T: Display>(value: Option<T>, out: &mut Vec<u8>) -> bool {
    value.is_some_and(|value| write!(out, "{value}").is_ok())
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}

fn argument<'a>(operator: &'a str, name: &str) -> Option<&'a str> {
    operator.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')')
}

fn alternatives(argument: &str) -> (&str, Option<&str>) {
    argument.split_once('?').map_or((argument, None), |(main, other)| (main, Some(other)))
}

fn index_of(names: &mut Vec<HeaderName>, name: &str) -> Result<usize, FormatError> {
    let parsed: HeaderName = name
        .to_ascii_lowercase()
        .parse()
        .map_err(|_invalid| FormatError::HeaderName(name.to_owned()))?;
    Ok(names.iter().position(|known| *known == parsed).unwrap_or_else(|| {
        names.push(parsed);
        names.len() - 1
    }))
}

/// RFC 3339 in UTC with milliseconds, as Envoy prints `%START_TIME%`.
fn write_time(time: SystemTime, out: &mut Vec<u8>) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = since.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let millis = since.subsec_millis();
    let written =
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z");
    debug_assert!(written.is_ok(), "writing to memory does not fail");
}

/// Year, month and day of a day counted from 1970-01-01, by the Gregorian calendar: 400 years are 146,097 days, and
/// a year that begins in March has its leap day last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // From 0000-03-01.
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests;
