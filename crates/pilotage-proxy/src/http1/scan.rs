//! The lines of a head: where names and values are. What they mean is for others.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use memchr::memchr;

use super::{MessageError, value};

/// How large a head may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// All of it, in bytes.
    pub(crate) bytes: usize,
    /// Number of headers.
    pub(crate) headers: usize,
}

impl Default for Limits {
    /// Envoy's defaults.
    fn default() -> Self {
        Self { bytes: 60 * 1024, headers: 100 }
    }
}

/// Looks through a head as its bytes arrive. Each line is looked at once, however the bytes are cut.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// Where the line begins that comes next.
    line: usize,
    start: Option<Range<usize>>,
    fields: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    name: Range<usize>,
    value: Range<usize>,
    /// The value goes on over several lines.
    folded: bool,
}

impl Scanner {
    /// The scanner of a trailer section, which has no line before its fields.
    pub(super) fn of_trailers() -> Self {
        Self { start: Some(0..0), ..Self::default() }
    }

    /// Forgets what it has seen.
    pub(super) fn reset(&mut self) {
        self.line = 0;
        self.start = None;
        self.fields.clear();
    }

    /// Goes on looking in `bytes`, which begin as they did in the calls before. `Some`: the head ends there.
    ///
    /// # Errors
    /// When it cannot be a head, or is larger than `limits`.
    pub(super) fn scan(
        &mut self,
        bytes: &[u8],
        limits: Limits,
    ) -> Result<Option<usize>, MessageError> {
        loop {
            let rest = bytes.get(self.line..).unwrap_or_default();
            let Some(length) = memchr(b'\n', rest) else {
                return if bytes.len() > limits.bytes {
                    Err(MessageError::TooLarge)
                } else {
                    Ok(None)
                };
            };
            let begin = self.line;
            self.line += length + 1;
            let line = rest.get(..length).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if self.start.is_none() {
                // Blank lines before a message are left over from the one before.
                if !line.is_empty() {
                    self.start = Some(begin..begin + line.len());
                }
                continue;
            }
            if line.is_empty() {
                let end = self.line;
                return if end > limits.bytes {
                    Err(MessageError::TooLarge)
                } else {
                    Ok(Some(end))
                };
            }
            self.field(begin, line)?;
            if self.fields.len() > limits.headers {
                return Err(MessageError::TooMany);
            }
        }
    }

    fn field(&mut self, begin: usize, line: &[u8]) -> Result<(), MessageError> {
        if line.first().is_some_and(|byte| is_blank(*byte)) {
            let field = self.fields.last_mut().ok_or(MessageError::Malformed)?;
            field.value.end = begin + line.trim_ascii_end().len();
            field.folded = true;
            return Ok(());
        }
        // Names are short: looking at each byte is faster than calling for help.
        let colon = line.iter().position(|byte| *byte == b':').ok_or(MessageError::Malformed)?;
        let value = line.get(colon + 1..).unwrap_or_default().trim_ascii_start();
        let start = begin + line.len() - value.len();
        let value = start..start + value.trim_ascii_end().len();
        self.fields.push(Field { name: begin..begin + colon, value, folded: false });
        Ok(())
    }

    /// The first line.
    pub(super) fn start_line<'h>(&self, head: &'h [u8]) -> &'h [u8] {
        self.start.clone().and_then(|range| head.get(range)).unwrap_or_default()
    }

    /// Number of fields.
    pub(super) fn field_count(&self) -> usize {
        self.fields.len()
    }

    /// The names of the fields of `head` as they are spelled.
    pub(super) fn names(&self, head: &Bytes) -> impl Iterator<Item = Bytes> {
        self.fields.iter().map(|field| head.slice(field.name.clone()))
    }

    /// The fields of `head`, the bytes up to the end that [`Scanner::scan`] found. Values share its memory.
    pub(super) fn fields<'s>(
        &'s self,
        head: &'s Bytes,
    ) -> impl Iterator<Item = Result<(HeaderName, HeaderValue), MessageError>> + 's {
        self.fields.iter().map(|field| {
            let name = head.get(field.name.clone()).unwrap_or_default();
            let name = HeaderName::from_bytes(name).map_err(|_| MessageError::Malformed)?;
            let value = head.slice(field.value.clone());
            let value = if field.folded { unfolded(&value) } else { value };
            Ok((name, value::of_bytes(value).ok_or(MessageError::Malformed)?))
        })
    }
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// The value as one line: the line breaks are left out.
fn unfolded(value: &[u8]) -> Bytes {
    value.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Limits, Scanner};
    use crate::http1::MessageError;

    fn scan(text: &'static str) -> Result<Vec<(String, String)>, MessageError> {
        let mut scanner = Scanner::default();
        let end = scanner.scan(text.as_bytes(), Limits::default())?.unwrap();
        let head = Bytes::from_static(text.as_bytes()).slice(..end);
        let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
        scanner.fields(&head).map(|field| field.map(|(n, v)| (n.to_string(), text(&v)))).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn names_and_values_without_blanks_around() {
        let fields =
            scan("\r\nGET / HTTP/1.1\r\nHost: a\r\nx-b:\t b c \r\nempty:\r\nblank:  \n\r\nrest");
        let expected =
            [pair("host", "a"), pair("x-b", "b c"), pair("empty", ""), pair("blank", "")];
        assert_eq!(fields.unwrap(), expected);
    }

    #[test]
    fn folded_values_become_one_line() {
        let fields = scan("GET / HTTP/1.1\r\nx: a\r\n b\r\n\tc\r\ny: d\r\n\r\n").unwrap();
        assert_eq!(fields, [pair("x", "a b\tc"), pair("y", "d")]);
    }

    #[test]
    fn what_is_no_head() {
        for text in [
            "GET / HTTP/1.1\r\nno colon\r\n\r\n",
            "GET / HTTP/1.1\r\n folded: first\r\n\r\n",
            "GET / HTTP/1.1\r\nbad name: a\r\n\r\n",
            "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
            "GET / HTTP/1.1\r\n: a\r\n\r\n",
            "GET / HTTP/1.1\r\nx: a\u{1}b\r\n\r\n",
            "GET / HTTP/1.1\r\nx: a\rb\r\n\r\n",
        ] {
            assert_eq!(scan(text), Err(MessageError::Malformed), "{text:?}");
        }
    }

    #[test]
    fn limits() {
        let limits = Limits { bytes: 40, headers: 2 };
        let scan = |text: &str| Scanner::default().scan(text.as_bytes(), limits);
        assert_eq!(scan("GET / HTTP/1.1\r\na: b\r\nc: d\r\n\r\n"), Ok(Some(30)));
        assert_eq!(scan("GET / HTTP/1.1\r\na: b\r\nc: d\r\ne: f\r\n"), Err(MessageError::TooMany));
        assert_eq!(scan(&"x".repeat(40)), Ok(None));
        assert_eq!(scan(&"x".repeat(41)), Err(MessageError::TooLarge));
    }
}
