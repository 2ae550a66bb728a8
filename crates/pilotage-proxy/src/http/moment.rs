//! The time, read once and handed on.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One moment by both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) instant: Instant,
    /// Since the Unix epoch.
    pub(crate) unix: Duration,
}

impl Moment {
    pub(crate) fn now() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { instant: Instant::now(), unix }
    }
}
