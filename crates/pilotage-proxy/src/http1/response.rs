//! Heads of responses as upstreams send them.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{StatusCode, Version};
use pilotage_engine::header_names::HeaderNames;
use pilotage_engine::headers::Headers;

use super::MessageError;
use super::framing::{Declared, Framing};
use super::request::persistence;
use super::scan::{Limits, Scanner};
use super::spelling::Spelling;
use super::stream::Stream;
use crate::http::AnswerHead;

/// A response up to its body.
#[derive(Debug)]
pub(crate) struct ResponseHead {
    pub(crate) head: AnswerHead,
    /// Where the body ends.
    pub(crate) framing: Framing,
    /// The upstream would take further requests on this connection.
    pub(crate) persistent: bool,
}

/// Room for what this proxy will add to the headers of an answer, so that they grow only once.
const ADDED_HEADERS: usize = 4;

impl Stream {
    /// The head of a response, once all of it has been read; `to_head`: it answers a HEAD request. Its spelling is
    /// kept if `names` says so.
    ///
    /// # Errors
    /// When what was read is none, or one beyond `limits`.
    pub(crate) fn response(
        &mut self,
        limits: Limits,
        names: HeaderNames,
        to_head: bool,
    ) -> Result<Option<ResponseHead>, MessageError> {
        self.head(limits, |scanner, head| parse(scanner, head, names, to_head))
    }
}

/// As [`Stream::response`], when `scanner` has found the head to be `head`.
fn parse(
    scanner: &Scanner,
    head: &Bytes,
    names: HeaderNames,
    to_head: bool,
) -> Result<ResponseHead, MessageError> {
    let line = scanner.start_line(head);
    let (version, status, reason) = status_line(line).ok_or(MessageError::Malformed)?;
    let spelling = names.memory().map(|memory| Spelling::of(scanner, head, reason, memory));
    let mut headers = Headers::with_capacity(scanner.field_count() + ADDED_HEADERS);
    let mut declared = Declared::default();
    let mut persistent = version == Version::HTTP_11;
    for field in scanner.fields(head) {
        let (name, value) = field?;
        if name == CONTENT_LENGTH {
            declared.length(&value)?;
        } else if name == TRANSFER_ENCODING {
            declared.coding(&value)?;
            continue;
        } else if name == CONNECTION
            && let Some(wanted) = persistence(&value)
        {
            persistent = wanted;
            continue;
        }
        headers.append(name, value);
    }
    let framing = declared.of_response(status, to_head)?;
    let persistent = persistent && framing != Framing::UntilClose;
    Ok(ResponseHead { head: AnswerHead { status, headers, spelling }, framing, persistent })
}

/// Version, status, and the phrase that says it in words.
fn status_line(line: &[u8]) -> Option<(Version, StatusCode, &[u8])> {
    let (version, rest) = line.split_at_checked(b"HTTP/1.x".len())?;
    let version = match version {
        b"HTTP/1.1" => Version::HTTP_11,
        b"HTTP/1.0" => Version::HTTP_10,
        _ => return None,
    };
    let rest = rest.strip_prefix(b" ")?.trim_ascii_start();
    let (code, reason) = rest.split_at_checked(3)?;
    let begins_well = matches!(reason.first(), None | Some(b' '));
    let status = StatusCode::from_bytes(code).ok().filter(|_| begins_well)?;
    Some((version, status, reason.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Version;
    use pilotage_engine::header_names::HeaderNames;

    use super::{Limits, ResponseHead, Scanner, parse, status_line};
    use crate::http1::MessageError;
    use crate::http1::framing::Framing;

    fn response(text: &'static str) -> Result<ResponseHead, MessageError> {
        let mut scanner = Scanner::default();
        let end = scanner.scan(text.as_bytes(), Limits::default())?.unwrap();
        let head = Bytes::from_static(text.as_bytes()).slice(..end);
        parse(&scanner, &head, HeaderNames::default(), false)
    }

    #[test]
    fn heads() {
        let head = response(
            "HTTP/1.1 200 OK\r\nServer: x\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        .unwrap();
        assert_eq!(head.head.status, 200);
        assert_eq!(head.head.headers.len(), 1);
        assert_eq!(head.framing, Framing::Chunked);
        assert!(head.persistent);
        assert!(!response("HTTP/1.1 200 OK\r\n\r\n").unwrap().persistent);
        assert!(!response("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\n").unwrap().persistent);
        let twice = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(response(twice).map(|_| ()), Err(MessageError::Malformed));
    }

    #[test]
    fn status_lines() {
        let of = |line: &str| status_line(line.as_bytes()).map(|(v, s, _)| (v, s.as_u16()));
        assert_eq!(of("HTTP/1.1 200 All is well"), Some((Version::HTTP_11, 200)));
        assert_eq!(of("HTTP/1.0 404"), Some((Version::HTTP_10, 404)));
        assert_eq!(of("HTTP/1.1 999 "), Some((Version::HTTP_11, 999)));
        for none in ["what?", "HTTP/2.0 200", "HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.1200", ""] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
