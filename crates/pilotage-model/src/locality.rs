//! Region, zone and sub-zone.

use std::fmt;

/// Where a workload runs. Empty parts are unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Locality {
    /// The region, for instance `us-west`.
    pub region: String,
    /// The zone within the region.
    pub zone: String,
    /// The part of the zone, for instance a rack.
    pub sub_zone: String,
}

impl Locality {
    /// Reads `region/zone/subzone`, of which parts may be missing.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut parts = text.splitn(3, '/').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        Self { region: next(), zone: next(), sub_zone: next() }
    }

    /// Reads the value of a label, where dots stand for slashes unless there are slashes.
    #[must_use]
    pub fn parse_label(text: &str) -> Self {
        if text.contains('/') { Self::parse(text) } else { Self::parse(&text.replace('.', "/")) }
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.region.is_empty() && self.zone.is_empty() && self.sub_zone.is_empty()
    }

    /// Whether this locality lies within `pattern`, a locality in which `*` or a missing part covers everything.
    ///
    /// A client without locality lies within `*` only.
    #[must_use]
    pub fn within(&self, pattern: &str) -> bool {
        let pattern = Self::parse(pattern);
        let part = |mine: &str, wanted: &str| wanted == mine || wanted == "*";
        if !part(&self.region, &pattern.region) {
            return false;
        }
        if pattern.region == "*" || pattern.zone.is_empty() {
            return true;
        }
        if !part(&self.zone, &pattern.zone) {
            return false;
        }
        pattern.zone == "*"
            || pattern.sub_zone.is_empty()
            || part(&self.sub_zone, &pattern.sub_zone)
    }

    /// How far `other` is: 0 same place, 1 same zone, 2 same region, 3 elsewhere.
    #[must_use]
    pub fn distance(&self, other: &Self) -> u32 {
        if self.region != other.region {
            3
        } else if self.zone != other.zone {
            2
        } else if self.sub_zone != other.sub_zone {
            1
        } else {
            0
        }
    }
}

/// `region/zone/subzone`, without missing parts at the end.
impl fmt::Display for Locality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.region)?;
        if !self.zone.is_empty() || !self.sub_zone.is_empty() {
            write!(f, "/{}", self.zone)?;
        }
        if !self.sub_zone.is_empty() {
            write!(f, "/{}", self.sub_zone)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Locality;

    #[test]
    fn patterns_cover_what_they_leave_out() {
        let here = Locality::parse("us/a/r1");
        for (pattern, covered) in [
            ("*", true),
            ("us", true),
            ("us/*", true),
            ("us/a/*", true),
            ("us/b/*", false),
            ("eu/*", false),
        ] {
            assert_eq!(here.within(pattern), covered, "{pattern}");
        }
        assert!(Locality::default().within("*") && !Locality::default().within("us/*"));
    }

    #[test]
    fn labels_may_use_dots() {
        assert_eq!(Locality::parse_label("us.a.r1"), Locality::parse("us/a/r1"));
        assert_eq!(Locality::parse_label("us.1/a").region, "us.1");
        assert_eq!(Locality::parse("us/a").to_string(), "us/a");
    }
}
