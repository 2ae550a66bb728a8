//! `trafficPolicy.retryBudget`.

use crate::double::Double;
use crate::duration::Duration;
use crate::message::message;

message! {
    /// Limits retries to a share of the requests under way.
    pub struct RetryBudget {
        /// The share in percent. Absent means 20.
        pub percent: Option<Double>,
        /// The number of retries that are always allowed; 0 means 3.
        pub min_retry_concurrency: u32,
        /// The window over which requests are counted.
        pub budget_interval: Option<Duration>,
    }
}
