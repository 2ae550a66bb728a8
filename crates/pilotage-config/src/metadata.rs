//! What all objects have: name, namespace, labels and so on.

use std::collections::BTreeMap;
use std::fmt;

use crate::decode::{Decode, Decoder};
use crate::message::message;
use crate::schema::Shape;
use crate::yaml::Node;

message! {
    /// The `metadata` of an object.
    pub struct Metadata as "ObjectMeta" {
        /// The name, unique among the objects of its kind and namespace.
        pub name: String,
        /// The namespace as written; the loader fills in the default one for kinds that need one.
        pub namespace: Option<String>,
        /// Labels.
        pub labels: BTreeMap<String, String>,
        /// Annotations.
        pub annotations: BTreeMap<String, String>,
        /// When the object was made.
        pub creation_timestamp: Option<Timestamp>,
        /// When the object is to go.
        pub deletion_timestamp: Option<Timestamp>,
        /// The id of the object.
        pub uid: String,
        /// The version of the object in the API server.
        pub resource_version: String,
        /// How often the object was changed.
        pub generation: i64,
        /// The beginning of a name that the API server makes up.
        pub generate_name: String,
        /// The objects that this one goes with.
        pub owner_references: Vec<OwnerReference>,
    }
}

message! {
    /// An object that another one goes with.
    pub struct OwnerReference {
        /// Its API version.
        pub api_version: String,
        /// Its kind.
        pub kind: String,
        /// Its name.
        pub name: String,
        /// Its id.
        pub uid: String,
        /// Whether it manages the other one.
        pub controller: Option<bool>,
        /// Whether it stays until the other one is gone.
        pub block_owner_deletion: Option<bool>,
    }
}

/// A point in time: seconds since 1970 in UTC, and nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Nanoseconds after that, less than a second.
    pub nanos: u32,
}

impl Timestamp {
    /// Reads RFC 3339: `2026-01-01T00:00:00Z`, with fraction and offset.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (date, time) = text.split_once(['T', 't', ' '])?;
        let mut parts = date.splitn(3, '-').map(digits);
        let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
        let zone_at = time.find(['Z', 'z', '+', '-'])?;
        let (clock, zone) = time.split_at_checked(zone_at)?;
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let mut parts = clock.splitn(3, ':').map(digits);
        let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
        let known = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24;
        if !known || minute > 59 || second > 60 || date.len() != 10 || clock.len() != 8 {
            return None;
        }
        let nanos = if fraction.is_empty() { 0 } else { digits(&format!("{:0<9.9}", fraction))? };
        let offset = match zone {
            "Z" | "z" => 0,
            _ => {
                let (hours, minutes) = zone.get(1..)?.split_once(':')?;
                let offset = digits(hours)? * 3600 + digits(minutes)? * 60;
                if zone.starts_with('-') { -offset } else { offset }
            }
        };
        let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
        Some(Self { seconds, nanos: u32::try_from(nanos).ok()? })
    }
}

fn digits(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years begin in March here, so that
/// the leap day is the last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

impl Decode for Timestamp {
    const SHAPE: Shape = Shape::Scalar("a time such as 2026-01-01T00:00:00Z");

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let time = node.as_str().and_then(Self::parse);
        if time.is_none() {
            decoder.wrong_type(node, "a time such as 2026-01-01T00:00:00Z");
        }
        time
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (day, second) = (self.seconds.div_euclid(86_400), self.seconds.rem_euclid(86_400));
        let shifted = day + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if self.nanos > 0 {
            write!(f, ".{}", format!("{:09}", self.nanos).trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_printed_the_same() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-01-01T00:00:00Z", 1_767_225_600),
            ("2024-02-29T23:59:59Z", 1_709_251_199),
            ("1969-12-31T23:59:59Z", -1),
        ] {
            let time = Timestamp::parse(text).unwrap();
            assert_eq!(time.seconds, seconds, "{text}");
            assert_eq!(time.to_string(), text);
        }
        let offset = Timestamp::parse("2026-01-01T02:00:00.25+02:00").unwrap();
        assert_eq!(offset.to_string(), "2026-01-01T00:00:00.25Z");
        for text in ["", "2026-01-01", "2026-13-01T00:00:00Z", "yesterday", "2026-01-01T00:00:00"] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }
}
