//! Which time limits apply to a request.

use std::time::Duration;

/// Limits on the life of a stream, as a route sets them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaxStreamDuration {
    /// Life of the stream; zero: no limit.
    pub max: Option<Duration>,
    /// Upper limit of `grpc-timeout`; zero: unlimited.
    pub grpc_timeout_max: Option<Duration>,
    /// Subtracted from `grpc-timeout`.
    pub grpc_timeout_offset: Duration,
}

/// Time limits of one request. `None` means no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// From the end of the request to the end of the answer, all attempts together: 504 `UT`, `response_timeout`.
    pub global: Option<Duration>,
    /// Each attempt until its answer begins: 504 `UT`, `upstream_per_try_timeout`; may be retried.
    pub per_try: Option<Duration>,
    /// Each attempt without activity.
    pub per_try_idle: Option<Duration>,
    /// The stream without activity: 408 `SI` before the answer began.
    pub idle: Option<Duration>,
    /// Life of the stream.
    pub max_stream_duration: Option<Duration>,
}
