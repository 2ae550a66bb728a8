//! `x-request-id`.

use http::{HeaderName, HeaderValue};

use super::Seen;
use crate::env::Env;
use crate::headers::Headers;
use crate::http_manager::HttpManager;

pub(super) const NAME: HeaderName = HeaderName::from_static("x-request-id");

/// Makes an id where there is none, and for clients outside also where there is one, unless that is to be kept.
pub(super) fn set(
    manager: &HttpManager,
    seen: &Seen,
    headers: &mut Headers,
    edge: bool,
    env: &mut Env<'_>,
) {
    let replace = edge && !manager.preserve_external_request_id;
    if replace || !seen.request_id {
        let id = uuid(env.random(), env.random());
        if let Ok(id) = HeaderValue::from_bytes(&id) {
            headers.insert(NAME, id);
        }
    }
}

/// A random (version 4) UUID as text.
fn uuid(high: u64, low: u64) -> [u8; 36] {
    let (high, low) = (high & !0xf000 | 0x4000, low & !(0b11 << 62) | 0b10 << 62);
    let [a0, a1, a2, a3, a4, a5, a6, a7] = eight_digits(high >> 32);
    let [b0, b1, b2, b3, c0, c1, c2, c3] = eight_digits(high);
    let [d0, d1, d2, d3, e0, e1, e2, e3] = eight_digits(low >> 32);
    let [e4, e5, e6, e7, e8, e9, ea, eb] = eight_digits(low);
    [
        a0, a1, a2, a3, a4, a5, a6, a7, b'-', b0, b1, b2, b3, b'-', c0, c1, c2, c3, b'-', d0, d1,
        d2, d3, b'-', e0, e1, e2, e3, e4, e5, e6, e7, e8, e9, ea, eb,
    ]
}

/// The lower half of `number` as hexadecimal digits, all at once: each has a byte of one word to itself.
fn eight_digits(number: u64) -> [u8; 8] {
    const LOWEST_BITS: u64 = 0x0101_0101_0101_0101;
    let mut spread = number & 0xffff_ffff;
    spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff;
    spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff;
    spread = (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // From 10 on, adding 6 carries into the fifth bit of the byte.
    let letters = (spread + 6 * LOWEST_BITS) >> 4 & LOWEST_BITS;
    let to_letter = u64::from(b'a' - b'0' - 10);
    (spread + u64::from(b'0') * LOWEST_BITS + letters * to_letter).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::uuid;

    #[test]
    fn ids_are_version_4() {
        assert_eq!(&uuid(0, 0), b"00000000-0000-4000-8000-000000000000");
        assert_eq!(&uuid(u64::MAX, u64::MAX), b"ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(&uuid(0x0123_4567_89ab_cdef, 1), b"01234567-89ab-4def-8000-000000000001");
    }
}
