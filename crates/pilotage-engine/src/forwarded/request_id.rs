//! `x-request-id`.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::env::Env;
use crate::http_manager::HttpManager;

pub(super) const NAME: HeaderName = HeaderName::from_static("x-request-id");

/// Makes an id where there is none, and for clients outside also where there is one, unless that is to be kept.
pub(super) fn set(manager: &HttpManager, headers: &mut HeaderMap, edge: bool, env: &mut Env<'_>) {
    let replace = edge && !manager.preserve_external_request_id;
    if replace || !headers.contains_key(NAME) {
        let id = uuid(env.random(), env.random());
        if let Ok(id) = HeaderValue::from_bytes(&id) {
            headers.insert(NAME, id);
        }
    }
}

/// A random (version 4) UUID as text.
fn uuid(high: u64, low: u64) -> [u8; 36] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bits = (u128::from(high) << 64 | u128::from(low)) & !(0xf << 76 | 0b11 << 62)
        | 0x4 << 76
        | 0b10 << 62;
    let mut text = [b'-'; 36];
    let mut shift = 128_u32;
    for (place, byte) in text.iter_mut().enumerate() {
        if matches!(place, 8 | 13 | 18 | 23) {
            continue;
        }
        shift = shift.saturating_sub(4);
        let digit = usize::try_from(bits >> shift & 0xf).unwrap_or(0);
        *byte = HEX.get(digit).copied().unwrap_or(b'0');
    }
    text
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
