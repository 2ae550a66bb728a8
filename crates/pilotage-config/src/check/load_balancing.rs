//! Rules of load balancing.

use std::collections::BTreeSet;

use super::checker::Checker;
use super::locality;
use crate::destination_rule::{
    ConsistentHash, HttpCookie, LoadBalancerSettings, Maglev, WarmupConfiguration,
};
use crate::field_path::FieldPath;

/// Maglev tables are smaller than this (Envoy).
const MAGLEV_ENTRIES_MAX: u64 = 5_000_011;

pub(super) fn check(
    settings: &LoadBalancerSettings,
    has_outlier_detection: bool,
    at: &FieldPath,
    checker: &mut Checker<'_>,
) {
    if settings.locality_lb_setting.is_some() && settings.zone_aware_lb_setting.is_some() {
        checker.error(
            &at.field("zoneAwareLbSetting"),
            "`localityLbSetting` and `zoneAwareLbSetting` cannot stand together",
            "one of them",
        );
    }
    if let Some(hash) = &settings.consistent_hash {
        consistent_hash(hash, &at.field("consistentHash"), checker);
    }
    if let Some(setting) = &settings.locality_lb_setting {
        let at = at.field("localityLbSetting");
        locality::check(setting, has_outlier_detection, &at, checker);
    }
    if let Some(setting) = &settings.zone_aware_lb_setting {
        let at = at.field("zoneAwareLbSetting");
        locality::check_zone_aware(setting, has_outlier_detection, &at, checker);
    }
    checker.duration(&at.field("warmupDurationSecs"), settings.warmup_duration_secs);
    if let Some(settings) = &settings.warmup {
        warmup(settings, &at.field("warmup"), checker);
    }
}

fn consistent_hash(hash: &ConsistentHash, at: &FieldPath, checker: &mut Checker<'_>) {
    if let Some(cookie) = &hash.http_cookie {
        check_cookie(cookie, &at.field("httpCookie"), checker);
    }
    if hash.minimum_ring_size != 0 {
        let at = at.field("minimumRingSize");
        checker.warning(&at, "`minimumRingSize` is deprecated", "move it into `ringHash`");
        if hash.ring_hash.is_some() || hash.maglev.is_some() {
            checker.error(&at, "`ringHash` or `maglev` say how keys are placed", "not beside them");
        }
    }
    if let Some(maglev) = &hash.maglev {
        check_maglev(maglev, &at.field("maglev").field("tableSize"), checker);
    }
}

fn check_cookie(cookie: &HttpCookie, at: &FieldPath, checker: &mut Checker<'_>) {
    if cookie.name.is_empty() {
        checker.error(at, "a cookie needs a name", "needs `name`");
    }
    let mut seen = BTreeSet::new();
    for (index, attribute) in cookie.attributes.iter().enumerate() {
        let at = at.field("attributes").index(index);
        if attribute.name.is_empty() {
            checker.error(&at, "an attribute of a cookie needs a name", "needs `name`");
        } else if !seen.insert(&attribute.name) {
            let message = format!("attribute `{}` is given twice", attribute.name);
            checker.error(&at, message, "again");
        }
    }
}

fn check_maglev(maglev: &Maglev, at: &FieldPath, checker: &mut Checker<'_>) {
    let size = maglev.table_size;
    if size == 0 {
        checker.error(at, "`maglev` needs the size of its table", "for instance 65537");
    } else if size >= MAGLEV_ENTRIES_MAX {
        checker.error(
            at,
            format!("the table has to be smaller than {MAGLEV_ENTRIES_MAX}"),
            "too large",
        );
    } else if !is_prime(size) {
        checker.error(
            at,
            format!("the size of the table has to be prime, and {size} is not"),
            "not prime",
        );
    }
}

fn is_prime(number: u64) -> bool {
    number >= 2 && (2..).take_while(|d| d * d <= number).all(|d| !number.is_multiple_of(d))
}

fn warmup(settings: &WarmupConfiguration, at: &FieldPath, checker: &mut Checker<'_>) {
    if settings.duration.is_none() {
        checker.error(at, "a warm-up needs to know how long it lasts", "needs `duration`");
    }
    checker.duration(&at.field("duration"), settings.duration);
    if settings.minimum_percent.is_some_and(|percent| percent.get() > 100.0) {
        checker.error(&at.field("minimumPercent"), "more than 100 percent", "not a percentage");
    }
    if settings.aggression.is_some_and(|aggression| aggression.get() <= 0.0) {
        checker.error(&at.field("aggression"), "`aggression` has to be more than 0", "too small");
    }
}

#[cfg(test)]
mod tests {
    use super::is_prime;

    #[test]
    fn primes() {
        assert!([2, 3, 65_537, 5_000_011].into_iter().all(is_prime));
        assert!(![0, 1, 4, 65_536, 65_535].into_iter().any(is_prime));
    }
}
