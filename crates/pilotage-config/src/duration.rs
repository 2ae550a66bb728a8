//! Spans of time as written in configuration.

use std::fmt;

use crate::decode::{Decode, Decoder};
use crate::schema::Shape;
use crate::yaml::{Node, NodeKind};

/// A span of time, exact to the nanosecond. It may be negative or zero as written; whether the
/// field allows that is for the checks to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Duration {
    nanos: i64,
}

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self { nanos: 0 };

    /// From nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self { nanos }
    }

    /// From milliseconds; too long ones become the longest one.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self { nanos: millis.saturating_mul(1_000_000) }
    }

    /// From seconds; too long ones become the longest one.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self { nanos: seconds.saturating_mul(1_000_000_000) }
    }

    /// In nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.nanos
    }

    /// Whether it is exactly zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// As the standard library's type; `None` when negative.
    #[must_use]
    pub fn to_std(self) -> Option<std::time::Duration> {
        u64::try_from(self.nanos).ok().map(std::time::Duration::from_nanos)
    }

    /// Reads the notation that Istio accepts: a sign and one or more decimal numbers, each with a
    /// unit of `ns`, `us`, `µs`, `ms`, `s`, `m` or `h`, such as `1.5s` or `1h30m`; or `0`.
    ///
    /// # Errors
    /// A few words on what is wrong.
    pub fn parse(text: &str) -> Result<Self, DurationError> {
        let (negative, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if rest == "0" {
            return Ok(Self::ZERO);
        }
        if rest.is_empty() {
            return Err(DurationError::Empty);
        }
        let mut nanos: i128 = 0;
        while !rest.is_empty() {
            let (part, after) = component(rest)?;
            nanos = nanos.saturating_add(part);
            rest = after;
        }
        let nanos = if negative { -nanos } else { nanos };
        i64::try_from(nanos).map(Self::from_nanos).map_err(|_| DurationError::TooLong)
    }
}

/// One number and its unit in nanoseconds, and what follows.
fn component(text: &str) -> Result<(i128, &str), DurationError> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(end).ok_or(DurationError::NotANumber)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return Err(DurationError::NotANumber);
    }
    let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
    let (unit, rest) = rest.split_at_checked(end).ok_or(DurationError::NotANumber)?;
    let unit_nanos: i128 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3600 * 1_000_000_000,
        "" => return Err(DurationError::NoUnit),
        other => return Err(DurationError::UnknownUnit(crate::yaml::shorten(other))),
    };
    let whole: i128 =
        if whole.is_empty() { 0 } else { whole.parse().map_err(|_| DurationError::TooLong)? };
    let mut nanos = whole.checked_mul(unit_nanos).ok_or(DurationError::TooLong)?;
    // Digits beyond the nanosecond are cut off.
    let mut scale = unit_nanos;
    let mut remainder: i128 = 0;
    let mut denominator: i128 = 1;
    for digit in fraction.bytes().take(18) {
        remainder = remainder * 10 + i128::from(digit - b'0');
        denominator *= 10;
    }
    scale = scale.saturating_mul(remainder) / denominator;
    nanos = nanos.saturating_add(scale);
    Ok((nanos, rest))
}

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DurationError {
    /// There is nothing.
    Empty,
    /// A number is missing.
    NotANumber,
    /// A unit is missing.
    NoUnit,
    /// The unit is not one of those known.
    UnknownUnit(String),
    /// More than about 292 years.
    TooLong,
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::NotANumber => f.write_str("a number is missing"),
            Self::NoUnit => f.write_str("the unit is missing"),
            Self::UnknownUnit(unit) => write!(f, "there is no unit `{unit}`"),
            Self::TooLong => f.write_str("it is too long"),
        }
    }
}

impl std::error::Error for DurationError {}

/// In seconds, the notation of protobuf's JSON: `1.5s`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.nanos < 0 { "-" } else { "" };
        let nanos = self.nanos.unsigned_abs();
        let (seconds, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
        if fraction == 0 {
            return write!(f, "{sign}{seconds}s");
        }
        let fraction = format!("{fraction:09}");
        write!(f, "{sign}{seconds}.{}s", fraction.trim_end_matches('0'))
    }
}

impl Decode for Duration {
    const SHAPE: Shape = Shape::Scalar("a duration such as 1.5s");

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.kind {
            NodeKind::String(text) => match Self::parse(text) {
                Ok(value) => return Some(value),
                Err(error) => {
                    let message = format!("`{}` is not a duration: {error}", decoder.path());
                    decoder.invalid(node, message, "write for instance 1.5s, 300ms or 1h30m");
                }
            },
            NodeKind::Int(raw) | NodeKind::Float(raw) => {
                let message = format!("`{}` is a duration and needs a unit", decoder.path());
                decoder.invalid(node, message, &format!("write {raw}s for seconds"));
            }
            _ => decoder.wrong_type(node, "a duration such as 1.5s"),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notations_of_istio_are_read_exactly() {
        for (text, nanos) in [
            ("1.5s", 1_500_000_000),
            ("1h30m", 5_400_000_000_000),
            ("0", 0),
            ("0s", 0),
            ("-5ms", -5_000_000),
            ("+.5us", 500),
            ("1.s", 1_000_000_000),
            ("0.0000000019s", 1),
            ("9223372036.854775807s", i64::MAX),
        ] {
            assert_eq!(Duration::parse(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
        for text in
            ["", "5", "s", "1.2.3s", "1 s", "10 seconds", "1d", "9223372037s", "-", "1s-", "."]
        {
            assert!(Duration::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn printing_gives_seconds() {
        assert_eq!(Duration::from_millis(1500).to_string(), "1.5s");
        assert_eq!(Duration::from_nanos(-1).to_string(), "-0.000000001s");
        assert_eq!(Duration::from_secs(60).to_string(), "60s");
    }
}
