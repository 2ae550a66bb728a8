//! Heads of requests as clients send them.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING, UPGRADE};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Method, Version};
use pilotage_engine::forwarded::{has_token, is_upgrade};
use pilotage_engine::header_names::HeaderNames;
use pilotage_engine::headers::Headers;
use pilotage_engine::request::is_method_of_http1;

use super::MessageError;
use super::framing::{Declared, Framing};
use super::scan::Scanner;
use super::spelling::Spelling;
use crate::http::Head;

/// A request up to its body.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) head: Box<Head>,
    /// Where the body ends.
    pub(crate) framing: Framing,
    /// The client would send further requests on this connection.
    pub(crate) persistent: bool,
}

/// Room for what this proxy will add to the headers of a request, so that they grow only once.
const ADDED_HEADERS: usize = 8;

/// The request whose head `scanner` has found to be `head`; its spelling is kept if `names` says so.
///
/// # Errors
/// When it is none.
pub(super) fn parse(
    scanner: &Scanner,
    head: &Bytes,
    names: HeaderNames,
) -> Result<Request, MessageError> {
    let spelling = names.memory().map(|memory| Spelling::of(scanner, head, &[], memory));
    let line = Line::parse(scanner.start_line(head))?;
    let mut headers = Headers::with_capacity(scanner.field_count() + ADDED_HEADERS);
    let mut host = None;
    let mut declared = Declared::default();
    let mut persistent = line.version == Version::HTTP_11;
    let (mut expects_continue, mut upgrade) = (false, false);
    for field in scanner.fields(head) {
        let (name, value) = field?;
        if name == HOST {
            host = Some(match host {
                None => value,
                Some(before) => joined(&before, &value)?,
            });
            continue;
        }
        if name == CONTENT_LENGTH {
            declared.length(&value)?;
        } else if name == TRANSFER_ENCODING {
            declared.coding(&value)?;
            continue;
        } else if name == CONNECTION {
            match persistence(&value) {
                Some(wanted) => {
                    persistent = wanted;
                    continue;
                }
                None => persistent &= !has_token(&value, b"close"),
            }
        } else if name == EXPECT {
            expects_continue = value.as_bytes().eq_ignore_ascii_case(b"100-continue");
        } else if name == UPGRADE {
            // HTTP/2 by upgrade is spoken by nobody any more; the request is served as it is.
            if value.as_bytes().eq_ignore_ascii_case(b"h2c") {
                continue;
            }
            upgrade = true;
        }
        headers.append(name, value);
    }
    let framing = declared.of_request()?;
    if upgrade && framing != Framing::Empty {
        // Who has a body to send cannot change protocol with the same request.
        headers.remove(UPGRADE);
        upgrade = false;
    }
    let target = Target::parse(head, line.target, &line.method)?;
    let authority = target.authority.or(host);
    if !authority.as_ref().is_none_or(|host| host.as_bytes().iter().all(is_of_authority)) {
        return Err(MessageError::Malformed);
    }
    // A connection that was to become a tunnel and does not is of no further use.
    persistent &= line.method != Method::CONNECT;
    let head = Box::new(Head {
        method: line.method,
        scheme: target.scheme,
        authority,
        path: target.path,
        version: line.version,
        upgrade: upgrade && is_upgrade(&headers),
        headers,
        expects_continue,
        interim: None,
        spelling,
    });
    Ok(Request { head, framing, persistent })
}

/// What a `connection` header says when it speaks of nothing but whether the connection goes on.
pub(super) fn persistence(value: &HeaderValue) -> Option<bool> {
    let value = value.as_bytes();
    if value.eq_ignore_ascii_case(b"keep-alive") {
        Some(true)
    } else if value.eq_ignore_ascii_case(b"close") {
        Some(false)
    } else {
        None
    }
}

/// What may be part of an authority.
fn is_of_authority(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()[]*+,;=:@".contains(byte)
}

/// Envoy joins repeated hosts, so that they match no rule that one of them would.
fn joined(first: &HeaderValue, second: &HeaderValue) -> Result<HeaderValue, MessageError> {
    let both = [first.as_bytes(), b",", second.as_bytes()].concat();
    HeaderValue::from_bytes(&both).map_err(|_| MessageError::Malformed)
}

/// A request line.
struct Line<'h> {
    method: Method,
    target: &'h [u8],
    version: Version,
}

impl<'h> Line<'h> {
    /// Blanks between the three parts may be several; those within the target are refused with it.
    fn parse(line: &'h [u8]) -> Result<Self, MessageError> {
        let blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
        let end = line.iter().position(blank).ok_or(MessageError::Malformed)?;
        let (method, rest) = line.split_at_checked(end).ok_or(MessageError::Malformed)?;
        let rest = rest.trim_ascii();
        // Without a version it is HTTP/0.9.
        let begin = rest.iter().rposition(blank).ok_or(MessageError::Version)?;
        let (target, version) = rest.split_at_checked(begin).ok_or(MessageError::Malformed)?;
        let version = match version.trim_ascii_start() {
            b"HTTP/1.1" => Version::HTTP_11,
            b"HTTP/1.0" => Version::HTTP_10,
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                return Err(MessageError::Version);
            }
            _ => return Err(MessageError::Malformed),
        };
        let method = Method::from_bytes(method).map_err(|_| MessageError::Malformed)?;
        if !is_method_of_http1(&method) {
            return Err(MessageError::Malformed);
        }
        Ok(Self { method, target: target.trim_ascii_end(), version })
    }
}

/// The target of a request in its three forms.
#[derive(Default)]
struct Target {
    scheme: Option<Scheme>,
    authority: Option<HeaderValue>,
    path: Option<PathAndQuery>,
}

impl Target {
    fn parse(head: &Bytes, target: &[u8], method: &Method) -> Result<Self, MessageError> {
        if target.first() == Some(&b'/') {
            let path = Some(path(head.slice_ref(target))?);
            return Ok(Self { path, ..Self::default() });
        }
        if *method == Method::CONNECT {
            let authority = Some(authority(head, target)?);
            return Ok(Self { authority, ..Self::default() });
        }
        if target == b"*" && *method == Method::OPTIONS {
            let path = Some(PathAndQuery::from_static("*"));
            return Ok(Self { path, ..Self::default() });
        }
        let end = target.iter().position(|byte| *byte == b':').ok_or(MessageError::Malformed)?;
        let (scheme, rest) = target.split_at_checked(end).ok_or(MessageError::Malformed)?;
        let rest = rest.strip_prefix(b"://").ok_or(MessageError::Malformed)?;
        let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
        let (host, rest) =
            rest.split_at_checked(end.unwrap_or(rest.len())).ok_or(MessageError::Malformed)?;
        let path = match rest.first() {
            None => PathAndQuery::from_static("/"),
            Some(b'/') => path(head.slice_ref(rest))?,
            Some(_) => path([b"/", rest].concat().into())?,
        };
        Ok(Self {
            scheme: Some(Scheme::try_from(scheme).map_err(|_| MessageError::Malformed)?),
            authority: Some(authority(head, host)?),
            path: Some(path),
        })
    }
}

/// Visible ASCII and no fragment. What no URI may hold is escaped, as it would be when the path is normalized.
fn path(text: Bytes) -> Result<PathAndQuery, MessageError> {
    if !text.iter().all(u8::is_ascii_graphic) {
        return Err(MessageError::Malformed);
    }
    if text.contains(&b'#') {
        return Err(MessageError::Fragment);
    }
    PathAndQuery::from_maybe_shared(text.clone())
        .or_else(|_| PathAndQuery::try_from(escaped(&text)))
        .map_err(|_| MessageError::Malformed)
}

fn escaped(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text {
        match byte {
            b'<' => out.push_str("%3C"),
            b'>' => out.push_str("%3E"),
            b'"' => out.push_str("%22"),
            b'`' => out.push_str("%60"),
            other => out.push(char::from(*other)),
        }
    }
    out
}

fn authority(head: &Bytes, text: &[u8]) -> Result<HeaderValue, MessageError> {
    HeaderValue::from_maybe_shared(head.slice_ref(text)).map_err(|_| MessageError::Malformed)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::uri::Scheme;
    use http::{Method, Version};
    use pilotage_engine::header_names::HeaderNames;

    use super::{Request, parse};
    use crate::http1::MessageError;
    use crate::http1::framing::Framing;
    use crate::http1::scan::{Limits, Scanner};

    fn request(text: &str) -> Result<Request, MessageError> {
        let mut scanner = Scanner::default();
        let end = scanner.scan(text.as_bytes(), Limits::default())?.unwrap();
        let head = Bytes::copy_from_slice(text.as_bytes()).slice(..end);
        parse(&scanner, &head, HeaderNames::default())
    }

    fn error(text: &str) -> MessageError {
        request(text).map(|_| ()).unwrap_err()
    }

    #[test]
    fn the_parts_of_a_head() {
        let request = request(
            "POST /a?b=c HTTP/1.1\r\nHost: reviews:9080\r\nX-One: 1\r\nConnection: close\r\n\
             Content-Length: 3\r\nexpect: 100-Continue\r\n\r\nabc",
        )
        .unwrap();
        let head = &request.head;
        assert_eq!(
            (&head.method, head.path(), head.version),
            (&Method::POST, "/a?b=c", Version::HTTP_11)
        );
        assert_eq!(head.authority(), Some("reviews:9080"));
        assert_eq!(head.scheme, None);
        let names: Vec<&str> = head.headers.keys().map(http::HeaderName::as_str).collect();
        assert_eq!(names, ["x-one", "content-length", "expect"]);
        assert_eq!(request.framing, Framing::Length(3));
        assert!(!request.persistent && head.expects_continue);
    }

    #[test]
    fn absolute_targets_name_the_host() {
        let of = |target: &str| {
            request(&format!("GET {target} HTTP/1.1\r\nhost: b\r\n\r\n")).unwrap().head
        };
        let head = of("http://a:81/x");
        assert_eq!((head.authority(), head.path()), (Some("a:81"), "/x"));
        assert_eq!(head.scheme, Some(Scheme::HTTP));
        assert_eq!(of("http://a").path(), "/");
        assert_eq!(of("http://a?x").path(), "/?x");
        let options = request("OPTIONS * HTTP/1.1\r\nhost: b\r\n\r\n").unwrap();
        assert_eq!(options.head.path(), "*");
        let connect = request("CONNECT a:443 HTTP/1.1\r\nhost: b\r\n\r\n").unwrap().head;
        assert_eq!((connect.authority(), connect.path()), (Some("a:443"), ""));
    }

    #[test]
    fn connections_that_go_on() {
        let of = |text: &str| request(text).unwrap().persistent;
        assert!(of("GET / HTTP/1.1\r\n\r\n"));
        assert!(!of("GET / HTTP/1.0\r\n\r\n"));
        assert!(of("GET / HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n"));
        assert!(!of("GET / HTTP/1.1\r\nconnection: close\r\n\r\n"));
        assert!(!of("GET / HTTP/1.1\r\nconnection: x-one, close\r\n\r\n"));
        assert!(!of("CONNECT a:1 HTTP/1.1\r\n\r\n"));
    }

    #[test]
    fn odd_request_lines() {
        assert_eq!(request("GET  /  HTTP/1.1\r\n\r\n").unwrap().head.path(), "/");
        assert_eq!(error("GET /\r\n\r\n"), MessageError::Version);
        assert_eq!(error("GET / HTTP/1.2\r\n\r\n"), MessageError::Version);
        assert_eq!(error("GET / HTTP/2.0\r\n\r\n"), MessageError::Version);
        assert_eq!(error("nonsense\r\n\r\n"), MessageError::Malformed);
        assert_eq!(error("GET / HTTP/x\r\n\r\n"), MessageError::Malformed);
        assert_eq!(error("GET /a b HTTP/1.1\r\n\r\n"), MessageError::Malformed);
        assert_eq!(error("GET a HTTP/1.1\r\n\r\n"), MessageError::Malformed);
        assert_eq!(error("GET * HTTP/1.1\r\n\r\n"), MessageError::Malformed);
        assert_eq!(error("GET /a#b HTTP/1.1\r\n\r\n"), MessageError::Fragment);
        assert_eq!(error("GET /\u{e4} HTTP/1.1\r\n\r\n"), MessageError::Malformed);
        assert_eq!(error("BREW / HTTP/1.1\r\n\r\n"), MessageError::Malformed);
        assert_eq!(request("GET /<`> HTTP/1.1\r\n\r\n").unwrap().head.path(), "/%3C%60%3E");
    }

    #[test]
    fn one_host_and_one_length() {
        let twice = request("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n").unwrap();
        assert_eq!(twice.head.authority(), Some("a,b"));
        for host in ["a b", "a/b", "a\\b", "a?b"] {
            let text = format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n");
            assert_eq!(error(&text), MessageError::Malformed, "{host}");
        }
        let both = "POST / HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(error(both), MessageError::Malformed);
    }
}
