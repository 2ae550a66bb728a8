//! Rules of a direct response.

use super::checker::Checker;
use crate::field_path::FieldPath;
use crate::virtual_service::HttpDirectResponse;

/// Largest body of a direct response: what Envoy will hold.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Size from which a body makes the configuration of every proxy heavy.
const BODY_BYTES_ADVISED: usize = 100 << 10;

pub(super) fn check(response: &HttpDirectResponse, at: &FieldPath, checker: &mut Checker<'_>) {
    if !(200..=600).contains(&response.status) {
        let message = format!("{} is not a status from 200 to 600", response.status);
        checker.error(&at.field("status"), message, "not a status");
    }
    let size = response.body.as_ref().map_or(0, |body| {
        body.string.as_ref().map_or(0, String::len) + body.bytes.as_ref().map_or(0, |b| b.0.len())
    });
    if size > BODY_BYTES_MAX {
        checker.error(&at.field("body"), "the body is larger than 1 MiB", "too large");
    } else if size > BODY_BYTES_ADVISED {
        checker.warning(
            &at.field("body"),
            "a body of more than 100 KiB is sent to every proxy with the configuration",
            "large",
        );
    }
}
