//! Messages as they go out: heads and bodies to bytes, without sockets.

use std::io::Write;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, Method, StatusCode, Version};
use http_body::Frame;
use pilotage_engine::header_names::HeaderNames;
use pilotage_engine::headers::Headers;

use super::framing::{Framing, is_bodiless, parse_length};
use super::output::Output;
use super::spelling;
use crate::http::{AnswerHead, Outgoing};

/// Writes one body.
#[derive(Debug)]
pub(crate) struct Encoder {
    framing: Framing,
    /// Trailers are written, where the framing has room for them.
    trailers: bool,
}

/// A body whose parts do not make up the length that its head has promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body has another length than its head says")]
pub(crate) struct LengthError;

impl Encoder {
    pub(crate) fn new(framing: Framing) -> Self {
        Self { framing, trailers: false }
    }

    /// Writes trailers, if `wanted`.
    pub(super) fn with_trailers(self, wanted: bool) -> Self {
        Self { trailers: wanted, ..self }
    }

    /// Whether the body ends only when the connection does.
    pub(crate) fn is_until_close(&self) -> bool {
        self.framing == Framing::UntilClose
    }

    /// Writes the next part. Trailers are left out unless they are wanted: HTTP/1 peers are not asked.
    ///
    /// # Errors
    /// When the head has promised less.
    pub(crate) fn frame(
        &mut self,
        frame: Frame<Bytes>,
        output: &mut Output,
    ) -> Result<(), LengthError> {
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                if let (true, Framing::Chunked, Ok(trailers)) =
                    (self.trailers, self.framing, frame.into_trailers())
                {
                    let buffer = output.buffer();
                    buffer.extend_from_slice(b"0\r\n");
                    for (name, value) in &trailers {
                        field(buffer, name.as_str(), value);
                    }
                    buffer.extend_from_slice(b"\r\n");
                    self.framing = Framing::Empty;
                }
                return Ok(());
            }
        };
        match &mut self.framing {
            // An answer to HEAD, or one that has no body by its status.
            Framing::Empty => {}
            Framing::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or(LengthError)?;
                output.push(data, b"");
            }
            Framing::Chunked if data.is_empty() => {}
            Framing::Chunked => {
                chunk_line(output.buffer(), data.len());
                output.push(data, b"\r\n");
            }
            Framing::UntilClose => output.push(data, b""),
        }
        Ok(())
    }

    /// Writes the end.
    ///
    /// # Errors
    /// When the head has promised more.
    pub(crate) fn end(&mut self, output: &mut Output) -> Result<(), LengthError> {
        match self.framing {
            Framing::Empty | Framing::Length(0) | Framing::UntilClose => Ok(()),
            Framing::Length(_) => Err(LengthError),
            Framing::Chunked => {
                output.buffer().extend_from_slice(b"0\r\n\r\n");
                Ok(())
            }
        }
    }
}

fn chunk_line(buffer: &mut Vec<u8>, length: usize) {
    let written = write!(buffer, "{length:x}\r\n");
    debug_assert!(written.is_ok(), "writing to memory does not fail");
}

/// Writes the head of a request, and says how its body follows.
pub(super) fn request(
    head: &Outgoing,
    has_body: bool,
    names: HeaderNames,
    output: &mut Output,
) -> Encoder {
    let buffer = output.buffer();
    let begin = buffer.len();
    buffer.extend_from_slice(head.method.as_str().as_bytes());
    buffer.push(b' ');
    buffer.extend_from_slice(head.path.as_str().as_bytes());
    buffer.extend_from_slice(b" HTTP/1.1\r\n");
    field(buffer, "host", &head.authority);
    fields(buffer, &head.headers, |name| *name != TRANSFER_ENCODING);
    let framing = match declared_length(&head.headers) {
        _ if !has_body => {
            if expects_body(&head.method) && !head.headers.contains_key(CONTENT_LENGTH) {
                buffer.extend_from_slice(b"content-length: 0\r\n");
            }
            Framing::Empty
        }
        Some(length) => Framing::Length(length),
        None => {
            buffer.extend_from_slice(b"transfer-encoding: chunked\r\n");
            Framing::Chunked
        }
    };
    buffer.extend_from_slice(b"\r\n");
    spelling::apply(names, head.spelling.as_deref(), buffer, begin);
    Encoder::new(framing)
}

/// Methods of which a server expects a body, so that having none is worth saying.
fn expects_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// To whom an answer goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    /// The request was HEAD: the answer has no body, whatever its head says.
    pub(super) head_only: bool,
    pub(super) version: Version,
    /// Further requests are welcome on this connection.
    pub(super) persistent: bool,
    /// It is told the trailers of the answer.
    pub(super) trailers: bool,
    /// How names of headers are spelled for it.
    pub(super) names: HeaderNames,
}

/// Writes the head of an answer, and says how its body follows; `has_body` is false when it is known to be empty.
pub(super) fn response(
    head: &AnswerHead,
    has_body: bool,
    asker: Asker,
    output: &mut Output,
) -> Encoder {
    let buffer = output.buffer();
    let begin = buffer.len();
    let old = asker.version == Version::HTTP_10;
    status_line(buffer, asker.version, head.status);
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        fields(buffer, &head.headers, |_| true);
        buffer.extend_from_slice(b"\r\n");
        spelling::apply(asker.names, head.spelling.as_deref(), buffer, begin);
        return Encoder::new(Framing::UntilClose);
    }
    let never = is_bodiless(head.status);
    let no_length = never && head.status != StatusCode::NOT_MODIFIED;
    fields(buffer, &head.headers, |name| {
        *name != CONNECTION && *name != TRANSFER_ENCODING && !(no_length && *name == CONTENT_LENGTH)
    });
    let framing = match declared_length(&head.headers) {
        _ if never => Framing::Empty,
        Some(_) if asker.head_only => Framing::Empty,
        Some(length) => Framing::Length(length),
        None if !has_body && asker.head_only => Framing::Empty,
        None if !has_body => {
            buffer.extend_from_slice(b"content-length: 0\r\n");
            Framing::Empty
        }
        None if old => Framing::UntilClose,
        None => {
            buffer.extend_from_slice(b"transfer-encoding: chunked\r\n");
            if asker.head_only { Framing::Empty } else { Framing::Chunked }
        }
    };
    if !asker.persistent || framing == Framing::UntilClose {
        buffer.extend_from_slice(b"connection: close\r\n");
    } else if old {
        buffer.extend_from_slice(b"connection: keep-alive\r\n");
    }
    buffer.extend_from_slice(b"\r\n");
    spelling::apply(asker.names, head.spelling.as_deref(), buffer, begin);
    Encoder::new(framing).with_trailers(asker.trailers)
}

/// Writes an answer that comes before the answer.
pub(super) fn interim(
    head: &AnswerHead,
    version: Version,
    names: HeaderNames,
    output: &mut Output,
) {
    let buffer = output.buffer();
    let begin = buffer.len();
    status_line(buffer, version, head.status);
    fields(buffer, &head.headers, |_| true);
    buffer.extend_from_slice(b"\r\n");
    spelling::apply(names, head.spelling.as_deref(), buffer, begin);
}

fn status_line(buffer: &mut Vec<u8>, version: Version, status: StatusCode) {
    let old = version == Version::HTTP_10;
    buffer.extend_from_slice(if old { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    buffer.extend_from_slice(status.as_str().as_bytes());
    buffer.push(b' ');
    buffer.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    buffer.extend_from_slice(b"\r\n");
}

fn declared_length(headers: &Headers) -> Option<u64> {
    parse_length(headers.get(CONTENT_LENGTH)?.as_bytes())
}

fn fields(buffer: &mut Vec<u8>, headers: &Headers, keep: impl Fn(&HeaderName) -> bool) {
    for (name, value) in headers.iter() {
        if keep(name) {
            field(buffer, name.as_str(), value);
        }
    }
}

fn field(buffer: &mut Vec<u8>, name: &str, value: &HeaderValue) {
    let value = value.as_bytes();
    buffer.reserve(name.len() + value.len() + 4);
    buffer.extend_from_slice(name.as_bytes());
    buffer.extend_from_slice(b": ");
    buffer.extend_from_slice(value);
    buffer.extend_from_slice(b"\r\n");
}
