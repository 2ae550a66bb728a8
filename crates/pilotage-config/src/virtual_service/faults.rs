//! `http[].fault`: delays and errors on purpose.

use crate::double::Double;
use crate::duration::Duration;
use crate::message::message;

message! {
    /// Faults to inject into requests.
    pub struct HttpFaultInjection as "HTTPFaultInjection" {
        /// Waits before a request is forwarded.
        pub delay: Option<Delay>,
        /// Answers with an error instead of forwarding.
        pub abort: Option<Abort>,
    }
}

message! {
    /// A wait before a request is forwarded.
    pub struct Delay {
        /// Deprecated: the share in whole percent, used when `percentage` is absent.
        pub percent: i32,
        /// The wait.
        pub fixed_delay: Option<Duration>,
        /// Reserved in the API and never supported.
        pub exponential_delay: Option<Duration>,
        /// The share of requests.
        pub percentage: Option<Percent>,
    }
    one of [fixed_delay, exponential_delay]
}

message! {
    /// An error instead of an answer.
    pub struct Abort {
        /// The HTTP status code.
        pub http_status: Option<i32>,
        /// The gRPC status, by name.
        pub grpc_status: Option<String>,
        /// Reserved in the API and never supported.
        pub http2_error: Option<String>,
        /// The share of requests.
        pub percentage: Option<Percent>,
    }
    one of [http_status, grpc_status, http2_error]
}

message! {
    /// A share in percent.
    pub struct Percent {
        /// From 0 to 100.
        pub value: Double,
    }
}

/// The number of the gRPC status with this name (`UNAVAILABLE` is 14), as gRPC defines them.
#[must_use]
pub fn grpc_status_number(name: &str) -> Option<u32> {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    let position = NAMES.iter().position(|known| *known == name)?;
    u32::try_from(position).ok()
}

#[cfg(test)]
mod tests {
    use super::grpc_status_number;

    #[test]
    fn grpc_statuses_are_numbers() {
        assert_eq!(grpc_status_number("OK"), Some(0));
        assert_eq!(grpc_status_number("UNAVAILABLE"), Some(14));
        assert_eq!(grpc_status_number("UNAUTHENTICATED"), Some(16));
        assert_eq!(grpc_status_number("unavailable"), None);
    }
}
