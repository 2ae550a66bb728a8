//! Base64 as JSON carries bytes: the usual alphabet or the one for URLs, padding optional.

/// The bytes, or `None` when the text is not base64. White space is skipped.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut bits: u32 = 0;
    let mut count = 0;
    let mut padding = 0;
    for byte in text.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => {
                padding += 1;
                continue;
            }
            b' ' | b'\n' | b'\r' | b'\t' => continue,
            _ => return None,
        };
        if padding > 0 {
            return None;
        }
        bits = (bits << 6) | u32::from(digit);
        count += 1;
        if count == 4 {
            out.extend_from_slice(bits.to_be_bytes().get(1..)?);
            bits = 0;
            count = 0;
        }
    }
    match (count, padding) {
        (0, 0) => {}
        (2, 0 | 2) => out.push(u8::try_from(bits >> 4 & 0xff).ok()?),
        (3, 0 | 1) => {
            out.push(u8::try_from(bits >> 10 & 0xff).ok()?);
            out.push(u8::try_from(bits >> 2 & 0xff).ok()?);
        }
        _ => return None,
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_optional_and_junk_is_refused() {
        assert_eq!(decode("aGVsbG8="), Some(b"hello".to_vec()));
        assert_eq!(decode("aGVsbG8"), Some(b"hello".to_vec()));
        assert_eq!(decode("aGVs\nbG8h"), Some(b"hello!".to_vec()));
        assert_eq!(decode("_-8="), Some(vec![0xff, 0xef]));
        assert_eq!(decode(""), Some(vec![]));
        for text in ["a", "a===", "aGVsbG8==", "aG=s", "ä"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
