//! `http[].retries`, and the mesh-wide default.

use crate::duration::Duration;
use crate::message::message;

message! {
    /// When and how often a failed request is tried again.
    pub struct HttpRetry as "HTTPRetry" {
        /// The number of further attempts; 0 turns retries off.
        pub attempts: i32,
        /// The time for each attempt. Absent means that of the whole request.
        pub per_try_timeout: Option<Duration>,
        /// Conditions and status codes, separated by commas.
        pub retry_on: String,
        /// Whether further attempts may go to other localities.
        pub retry_remote_localities: Option<bool>,
        /// Whether further attempts avoid hosts that were tried.
        pub retry_ignore_previous_hosts: Option<bool>,
        /// The shortest wait before the second attempt.
        pub backoff: Option<Duration>,
    }
}

/// The status code that an element of `retryOn` names: a number that HTTP has a reason phrase for. A sign and leading
/// zeros are accepted, as on Istio.
#[must_use]
pub fn retriable_status_code(text: &str) -> Option<u32> {
    let code = text.parse::<i64>().ok().and_then(|code| u32::try_from(code).ok())?;
    matches!(code,
        100..=103 | 200..=208 | 226 | 300..=305 | 307 | 308 | 400..=418 | 421..=426 | 428 | 429
        | 431 | 451 | 500..=508 | 510 | 511)
    .then_some(code)
}

#[cfg(test)]
mod tests {
    use super::retriable_status_code;

    #[test]
    fn codes_with_a_known_meaning() {
        assert_eq!(retriable_status_code("503"), Some(503));
        assert_eq!(retriable_status_code("+0503"), Some(503));
        for unknown in ["599", "", "50x", "-503", "306", " 503"] {
            assert_eq!(retriable_status_code(unknown), None, "{unknown}");
        }
    }
}
