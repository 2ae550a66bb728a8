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
