//! Rules of a retry policy.

use super::checker::Checker;
use crate::field_path::FieldPath;
use crate::virtual_service::{HttpRetry, retriable_status_code};

/// Conditions that Envoy knows.
const CONDITIONS: [&str; 16] = [
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "envoy-ratelimited",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];

pub(super) fn check(policy: &HttpRetry, at: &FieldPath, checker: &mut Checker<'_>) {
    checker.not_negative(&at.field("attempts"), policy.attempts);
    let has_settings = policy.per_try_timeout.is_some()
        || !policy.retry_on.is_empty()
        || policy.retry_remote_localities.is_some();
    if policy.attempts == 0 && has_settings {
        checker.error(
            at,
            "0 attempts switch retries off, so the other settings mean nothing",
            "off",
        );
        checker.help("set `attempts`, or leave only `attempts: 0`");
    }
    checker.duration(&at.field("perTryTimeout"), policy.per_try_timeout);
    checker.duration(&at.field("backoff"), policy.backoff);
    if policy.retry_on.is_empty() {
        return;
    }
    for condition in policy.retry_on.split(',') {
        if !CONDITIONS.contains(&condition) && retriable_status_code(condition).is_none() {
            let at = at.field("retryOn");
            let message = format!("`{condition}` is neither a retry condition nor a status code");
            checker.error(&at, message, "unknown condition");
            if condition.trim() != condition {
                checker.help("conditions are separated by commas without spaces");
            }
        }
    }
}
