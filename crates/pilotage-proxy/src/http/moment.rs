//! The time, read once and handed on.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One moment by both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) instant: Instant,
    /// Since the Unix epoch.
    pub(crate) unix: Duration,
}

/// For how long the distance between the clocks is taken to stay as it was: steps of the system's clock show in the
/// start times of requests after that.
const CALIBRATION: Duration = Duration::from_secs(1);

impl Moment {
    /// Reads the clocks; mostly only the steady one, and the other follows from how far they were apart a moment ago.
    pub(crate) fn now() -> Self {
        thread_local! {
            static CALIBRATED: Cell<Moment> = Cell::new(Moment::read());
        }
        let instant = Instant::now();
        CALIBRATED.with(|calibrated| {
            let base = calibrated.get();
            let since = instant.saturating_duration_since(base.instant);
            if since < CALIBRATION {
                return Self { instant, unix: base.unix + since };
            }
            let now = Self::read();
            calibrated.set(now);
            now
        })
    }

    fn read() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { instant: Instant::now(), unix }
    }
}
