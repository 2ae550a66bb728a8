//! Values in words.

use std::time::Duration;

/// A time limit as tests write it: `500ms`, `1.5s`, or `none`.
pub(crate) fn limit(limit: Option<Duration>) -> String {
    match limit {
        None | Some(Duration::ZERO) => "none".to_owned(),
        Some(limit) if limit.subsec_nanos() % 1_000_000 == 0 && limit.as_secs() == 0 => {
            format!("{}ms", limit.as_millis())
        }
        Some(limit) => format!("{limit:?}"),
    }
}

/// The same of a duration in configuration.
pub(crate) fn duration(duration: pilotage_config::Duration) -> String {
    limit(Some(Duration::from_nanos(duration.as_nanos().unsigned_abs())))
}
