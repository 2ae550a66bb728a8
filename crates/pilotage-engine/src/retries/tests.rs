use http::{HeaderValue, StatusCode};

use super::{ResetReason, RetryConditions};
use crate::headers::Headers;

fn conditions(text: &str) -> RetryConditions {
    RetryConditions::parse(text).0
}

#[test]
fn lists_are_read_leniently() {
    let (set, unknown) = RetryConditions::parse(",5xx , nonsense,unavailable,");
    assert_eq!(set, conditions("5xx,unavailable"));
    assert_eq!(unknown, ["nonsense"]);
    assert!(conditions("").is_empty());
}

#[test]
fn answers() {
    let none = Headers::new();
    for (text, status, listed, expected) in [
        ("5xx", 500, false, true),
        ("5xx", 404, false, false),
        ("gateway-error", 503, false, true),
        ("gateway-error", 500, false, false),
        ("retriable-4xx", 409, false, true),
        ("retriable-4xx", 404, false, false),
        ("retriable-status-codes", 418, true, true),
        ("retriable-status-codes", 418, false, false),
        (
            "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
            503,
            false,
            false,
        ),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let taken = conditions(text).take_response(status, &none, listed, false);
        assert_eq!(taken, expected, "{text} {status}");
    }
    let mut headers = Headers::new();
    headers.insert("grpc-status", HeaderValue::from_static("14"));
    assert!(conditions("unavailable").take_response(StatusCode::OK, &headers, false, false));
    assert!(!conditions("cancelled").take_response(StatusCode::OK, &headers, false, false));
    headers.insert("x-envoy-ratelimited", HeaderValue::from_static("true"));
    assert!(!conditions("5xx,unavailable").take_response(StatusCode::OK, &headers, false, false));
}

#[test]
fn resets() {
    for (text, reason, sent, expected) in [
        ("connect-failure", ResetReason::ConnectFailure, false, true),
        ("connect-failure", ResetReason::ConnectTimeout, false, true),
        ("connect-failure", ResetReason::RemoteReset, true, false),
        ("refused-stream", ResetReason::RefusedStream, true, true),
        ("reset", ResetReason::ConnectionTermination, true, true),
        ("reset-before-request", ResetReason::ConnectionTermination, false, true),
        ("reset-before-request", ResetReason::ConnectionTermination, true, false),
        ("5xx", ResetReason::RemoteReset, true, true),
        ("5xx", ResetReason::Overflow, false, false),
    ] {
        assert_eq!(conditions(text).take_reset(reason, sent), expected, "{text} {reason:?}");
    }
    assert!(conditions("5xx").take_timeout());
    assert!(!conditions("connect-failure").take_timeout());
}
