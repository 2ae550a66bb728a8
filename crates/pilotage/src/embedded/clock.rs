//! The time of day, for lines that people read.

/// Now, as `12:04:31` in the local time zone.
pub(crate) fn time_of_day() -> String {
    jiff::Zoned::now().strftime("%H:%M:%S").to_string()
}
