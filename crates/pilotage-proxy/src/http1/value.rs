//! Values of header fields out of a head.
//!
//! The one module with unsafe code. The http crate looks at the bytes of a value one by one, which was a twentieth of
//! all instructions of a request; looking at eight at a time leaves a quarter of that.
#![expect(
    unsafe_code,
    reason = "there is no other way to make a value of bytes that were looked at already"
)]

use bytes::Bytes;
use http::HeaderValue;

/// The value that consists of `bytes`; `None` when none may.
pub(super) fn of_bytes(bytes: Bytes) -> Option<HeaderValue> {
    if !is_value(&bytes) {
        return None;
    }
    // SAFETY: what is asked for is what `HeaderValue::from_bytes` looks for, and `is_value` says the same (see the
    // test): no control characters but the tab.
    Some(unsafe { HeaderValue::from_maybe_shared_unchecked(bytes) })
}

/// Whether a value may consist of `bytes`.
fn is_value(bytes: &[u8]) -> bool {
    let (chunks, _) = bytes.as_chunks();
    chunks.iter().all(are_fine)
        && match bytes.last_chunk() {
            // Overlaps the last one before, which is cheaper than to look at what is left one by one.
            Some(last) => are_fine(last),
            None => bytes.iter().all(is_fine),
        }
}

fn is_fine(byte: &u8) -> bool {
    (*byte >= b' ' && *byte != 0x7f) || *byte == b'\t'
}

/// As [`is_fine`], for eight at once.
fn are_fine(bytes: &[u8; 8]) -> bool {
    const EACH: u64 = u64::MAX / 0xff;
    const HIGH: u64 = EACH << 7;
    let word = u64::from_ne_bytes(*bytes);
    // The high bit of a byte of `x - y` that borrows, and had none in `x`, is set: so it was smaller. A byte above one
    // that borrows may be taken for smaller too, which only means that it is looked at again.
    let below = |word: u64, limit: u64| word.wrapping_sub(EACH * limit) & !word & HIGH;
    let control = below(word, 0x20);
    let delete = below(word ^ (EACH * 0x7f), 1);
    control | delete == 0 || bytes.iter().all(is_fine)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderValue;

    use super::of_bytes;

    #[test]
    fn the_http_crate_says_the_same_of_every_byte_at_every_place() {
        for byte in 0..=u8::MAX {
            for (before, after) in [(0, 0), (0, 40), (40, 0), (17, 23), (31, 1)] {
                let mut bytes = vec![b'a'; before];
                bytes.push(byte);
                bytes.resize(before + 1 + after, b'z');
                let expected = HeaderValue::from_bytes(&bytes).ok();
                assert_eq!(of_bytes(Bytes::from(bytes)), expected, "{byte:#x} after {before}");
            }
        }
        assert_eq!(of_bytes(Bytes::new()), Some(HeaderValue::from_static("")));
    }
}
