//! Where the body of a message ends: RFC 9112, section 6, as strictly as Envoy.

use http::{HeaderValue, StatusCode};

use super::MessageError;

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    Empty,
    /// After so many bytes.
    Length(u64),
    /// With its last chunk.
    Chunked,
    /// With the connection: responses of old servers, and everything after a change of protocol.
    UntilClose,
}

/// What the headers of one message say about its body.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Declared {
    length: Option<u64>,
    chunked: bool,
}

impl Declared {
    /// Notes a `content-length`. A second one is refused, even of the same value.
    pub(super) fn length(&mut self, value: &HeaderValue) -> Result<(), MessageError> {
        let length = parse_length(value.as_bytes()).ok_or(MessageError::Malformed)?;
        match self.length.replace(length) {
            None => Ok(()),
            Some(_) => Err(MessageError::Malformed),
        }
    }

    /// Notes a `transfer-encoding`. Nobody may claim that a body ends twice.
    pub(super) fn coding(&mut self, value: &HeaderValue) -> Result<(), MessageError> {
        if !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err(MessageError::Coding);
        }
        if std::mem::replace(&mut self.chunked, true) {
            return Err(MessageError::Malformed);
        }
        Ok(())
    }

    fn framing(self) -> Result<Option<Framing>, MessageError> {
        match (self.chunked, self.length) {
            // Whoever reads one of the two sees another message than who reads the other: request smuggling.
            (true, Some(_)) => Err(MessageError::Malformed),
            (true, None) => Ok(Some(Framing::Chunked)),
            (false, Some(0)) => Ok(Some(Framing::Empty)),
            (false, Some(length)) => Ok(Some(Framing::Length(length))),
            (false, None) => Ok(None),
        }
    }

    pub(super) fn of_request(self) -> Result<Framing, MessageError> {
        Ok(self.framing()?.unwrap_or(Framing::Empty))
    }

    /// `to_head`: the response answers a HEAD request.
    pub(super) fn of_response(
        self,
        status: StatusCode,
        to_head: bool,
    ) -> Result<Framing, MessageError> {
        let framing = self.framing()?;
        let never = status.is_informational() || status == StatusCode::NO_CONTENT;
        if never && !matches!(framing, None | Some(Framing::Empty)) {
            // Who believes that a body follows would read the next response as one.
            return Err(MessageError::Malformed);
        }
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Framing::UntilClose);
        }
        if to_head || is_bodiless(status) {
            return Ok(Framing::Empty);
        }
        Ok(framing.unwrap_or(Framing::UntilClose))
    }
}

/// Whether responses of this status never have a body.
pub(super) fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}

/// A `content-length`: digits and nothing else.
pub(super) fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 19 {
        return None;
    }
    value.iter().try_fold(0_u64, |length, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, StatusCode};

    use super::{Declared, Framing, parse_length};
    use crate::http1::MessageError;

    fn declared(
        lengths: &[&'static str],
        codings: &[&'static str],
    ) -> Result<Declared, MessageError> {
        let mut declared = Declared::default();
        for length in lengths {
            declared.length(&HeaderValue::from_static(length))?;
        }
        for coding in codings {
            declared.coding(&HeaderValue::from_static(coding))?;
        }
        Ok(declared)
    }

    #[test]
    fn requests() {
        let of = |lengths: &[&'static str], codings: &[&'static str]| {
            declared(lengths, codings).and_then(Declared::of_request)
        };
        assert_eq!(of(&[], &[]), Ok(Framing::Empty));
        assert_eq!(of(&["0"], &[]), Ok(Framing::Empty));
        assert_eq!(of(&["12"], &[]), Ok(Framing::Length(12)));
        assert_eq!(of(&[], &["Chunked"]), Ok(Framing::Chunked));
        assert_eq!(of(&["3"], &["chunked"]), Err(MessageError::Malformed));
        assert_eq!(of(&["0", "0"], &[]), Err(MessageError::Malformed));
        assert_eq!(of(&[], &["chunked", "chunked"]), Err(MessageError::Malformed));
        assert_eq!(of(&[], &["gzip, chunked"]), Err(MessageError::Coding));
        assert_eq!(of(&["3, 3"], &[]), Err(MessageError::Malformed));
    }

    #[test]
    fn responses() {
        let of = |length: &'static str, status, to_head| {
            declared(&[length], &[]).unwrap().of_response(status, to_head).unwrap()
        };
        assert_eq!(of("5", StatusCode::OK, false), Framing::Length(5));
        assert_eq!(of("5", StatusCode::OK, true), Framing::Empty);
        assert_eq!(of("5", StatusCode::NOT_MODIFIED, false), Framing::Empty);
        assert_eq!(of("0", StatusCode::SWITCHING_PROTOCOLS, false), Framing::UntilClose);
        assert_eq!(of("0", StatusCode::NO_CONTENT, false), Framing::Empty);
        for status in [StatusCode::SWITCHING_PROTOCOLS, StatusCode::NO_CONTENT] {
            let promised = declared(&["5"], &[]).unwrap().of_response(status, true);
            assert_eq!(promised, Err(MessageError::Malformed), "{status}");
        }
        let open = Declared::default().of_response(StatusCode::OK, false);
        assert_eq!(open, Ok(Framing::UntilClose));
    }

    #[test]
    fn lengths() {
        assert_eq!(parse_length(b"007"), Some(7));
        assert_eq!(parse_length(b"9999999999999999999"), Some(9_999_999_999_999_999_999));
        for bad in ["", "-1", "+1", " 1", "0x1", "99999999999999999999", "1,1"] {
            assert_eq!(parse_length(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
