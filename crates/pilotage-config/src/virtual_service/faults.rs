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
