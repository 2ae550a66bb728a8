//! Times in headers and access logs.

use std::fmt;
use std::time::Duration;

/// How a time is written: in the way of [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339), or as an `strftime`-like
/// format says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeFormat(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// `2018-12-10T12:00:00.123Z`.
    Iso,
    Pieces(Vec<Piece>),
}

/// One piece of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// Seconds since the epoch.
    Epoch,
    /// Fraction of a second with so many digits.
    Fraction(usize),
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

impl TimeFormat {
    /// Reads a format; an empty one means `2018-12-10T12:00:00.123Z`.
    ///
    /// # Errors
    /// What is wrong with it, or not supported.
    pub fn compile(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(Form::Iso));
        }
        let mut pieces = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                match pieces.last_mut() {
                    Some(Piece::Text(text)) => text.push(c),
                    _ => pieces.push(Piece::Text(c.to_string())),
                }
                continue;
            }
            match chars.next() {
                Some('s') => pieces.push(Piece::Epoch),
                Some('f') => pieces.push(Piece::Fraction(9)),
                Some(digit @ '1'..='9') if chars.clone().next() == Some('f') => {
                    chars.next();
                    let digits = digit.to_digit(10).and_then(|d| usize::try_from(d).ok());
                    pieces.push(Piece::Fraction(digits.unwrap_or(9)));
                }
                Some('Y') => pieces.push(Piece::Year),
                Some('m') => pieces.push(Piece::Month),
                Some('d') => pieces.push(Piece::Day),
                Some('H') => pieces.push(Piece::Hour),
                Some('M') => pieces.push(Piece::Minute),
                Some('S') => pieces.push(Piece::Second),
                Some('F') => pieces.extend([
                    Piece::Year,
                    Piece::Text("-".into()),
                    Piece::Month,
                    Piece::Text("-".into()),
                    Piece::Day,
                ]),
                Some('T') => pieces.extend([
                    Piece::Hour,
                    Piece::Text(":".into()),
                    Piece::Minute,
                    Piece::Text(":".into()),
                    Piece::Second,
                ]),
                Some(other) => return Err(format!("time format `%{other}` is not supported")),
                None => return Err("time format ends with `%`".into()),
            }
        }
        Ok(Self(Form::Pieces(pieces)))
    }

    /// `time` since the Unix epoch, in UTC.
    pub fn at(&self, time: Duration) -> impl fmt::Display {
        fmt::from_fn(move |out| self.write(time, out))
    }

    fn write(&self, time: Duration, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = time.as_secs();
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let Form::Pieces(pieces) = &self.0 else {
            let millis = time.subsec_millis();
            return write!(
                out,
                "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"
            );
        };
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.write_str(text)?,
                Piece::Epoch => write!(out, "{seconds}")?,
                Piece::Fraction(digits) => {
                    let nanos = format!("{:09}", time.subsec_nanos());
                    out.write_str(nanos.get(..*digits).unwrap_or(&nanos))?;
                }
                Piece::Year => write!(out, "{year:04}")?,
                Piece::Month => write!(out, "{month:02}")?,
                Piece::Day => write!(out, "{day:02}")?,
                Piece::Hour => write!(out, "{hour:02}")?,
                Piece::Minute => write!(out, "{minute:02}")?,
                Piece::Second => write!(out, "{second:02}")?,
            }
        }
        Ok(())
    }
}

/// Year, month and day of a number of days since 1970-01-01 in the proleptic Gregorian calendar. Years are counted
/// from March, so that leap days come last, in eras of 400 years.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::TimeFormat;

    #[test]
    fn times_are_written_in_utc() {
        let iso = |seconds, millis: u32| {
            let time = Duration::new(seconds, millis * 1_000_000);
            TimeFormat::compile("").unwrap().at(time).to_string()
        };
        assert_eq!(iso(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso(1_709_210_096, 7), "2024-02-29T12:34:56.007Z");
        assert_eq!(iso(951_782_399, 0), "2000-02-28T23:59:59.000Z");
        assert_eq!(iso(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
        assert_eq!(iso(4_102_444_799, 999), "2099-12-31T23:59:59.999Z");
        let format = TimeFormat::compile("%s.%3f %F").unwrap();
        assert_eq!(format.at(Duration::from_millis(1_500)).to_string(), "1.500 1970-01-01");
        assert!(TimeFormat::compile("%q").is_err());
    }
}
