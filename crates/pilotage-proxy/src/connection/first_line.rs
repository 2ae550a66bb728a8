//! Whether plaintext is HTTP, told by its first line.

use super::inspect::Look;

/// What HTTP/2 begins with when nothing was agreed before.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A first line longer than this is not waited for.
const MAX_LINE: usize = 64 * 1024;

/// The kind of HTTP that a connection begins with, in the words of filter chains.
pub(super) fn look(bytes: &[u8]) -> Look<&'static str> {
    let known = bytes.len().min(PREFACE.len());
    if bytes.get(..known) == PREFACE.get(..known) {
        return if known == PREFACE.len() { Look::Found("h2c") } else { Look::Incomplete };
    }
    let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    let line = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
    let method = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    if !method.iter().all(is_token) || (method.is_empty() && !bytes.is_empty()) {
        return Look::Other;
    }
    if end.is_none() {
        return if bytes.len() < MAX_LINE { Look::Incomplete } else { Look::Other };
    }
    let line = std::str::from_utf8(line).ok();
    line.and_then(version).map_or(Look::Other, Look::Found)
}

/// Whether a byte may be part of a method.
fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

fn version(line: &str) -> Option<&'static str> {
    let (method, rest) = line.split_once(' ')?;
    let rest = rest.trim_start_matches(' ');
    let (target, version) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_target = target.starts_with(['/', '*']) || target.contains("://") || method == "CONNECT";
    match version.trim_start_matches(' ').as_bytes() {
        _ if !is_target => None,
        b"HTTP/1.1" => Some("http/1.1"),
        // Without a version it is HTTP/0.9; what is not 1.1 goes as 1.0.
        [] | [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Some("http/1.0"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::inspect::Look;
    use super::{PREFACE, look};

    #[test]
    fn http_is_told_from_other_protocols() {
        for (bytes, expected) in [
            (&b""[..], Look::Incomplete),
            (b"G", Look::Incomplete),
            (b"GET / HTTP/1.1", Look::Incomplete),
            (b"GET / HTTP/1.1\r", Look::Found("http/1.1")),
            (b"GET / HTTP/1.0\r\n", Look::Found("http/1.0")),
            (b"GET / HTTP/1.2\r\n", Look::Found("http/1.0")),
            (b"ANY  http://a/ HTTP/1.1\n", Look::Found("http/1.1")),
            (b"GET /\r\n", Look::Found("http/1.0")),
            (b"GET / FOO/1.1\r\n", Look::Other),
            (b"GET / x HTTP/1.1\r\n", Look::Other),
            (b"hello world\r\n", Look::Other),
            (b"\r\nGET / HTTP/1.1\r\n", Look::Other),
            (b"SSH-2.0-x\r\n", Look::Other),
            (b"SSH-2.0-x", Look::Incomplete),
            (b"\x00\x01", Look::Other),
            (b"PRI * HTTP/2.0\r\n", Look::Incomplete),
            (PREFACE, Look::Found("h2c")),
        ] {
            assert_eq!(look(bytes), expected, "{}", String::from_utf8_lossy(bytes));
        }
    }
}
