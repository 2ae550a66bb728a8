//! Rules of locality-aware balancing.

use super::checker::Checker;
use crate::codes;
use crate::destination_rule::{Distribute, Failover, LocalityLbSetting, ZoneAwareLbSetting};
use crate::field_path::FieldPath;

/// Labels that `failover` and zone awareness rank already.
const TOPOLOGY_LABELS: [&str; 3] =
    ["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"];

pub(super) fn check(
    setting: &LocalityLbSetting,
    has_outlier_detection: bool,
    at: &FieldPath,
    checker: &mut Checker<'_>,
) {
    if !setting.distribute.is_empty() && !setting.failover.is_empty() {
        checker.error(
            &at.field("failover"),
            "`distribute` fixes the shares, so that `failover` cannot move them",
            "not beside `distribute`",
        );
    }
    if !setting.failover.is_empty() {
        no_topology_labels(&setting.failover_priority, at, checker);
    }
    distribute(&setting.distribute, &at.field("distribute"), checker);
    let failover = Ranking { regions: &setting.failover, labels: &setting.failover_priority };
    failover.check(has_outlier_detection, at, checker);
}

pub(super) fn check_zone_aware(
    setting: &ZoneAwareLbSetting,
    has_outlier_detection: bool,
    at: &FieldPath,
    checker: &mut Checker<'_>,
) {
    no_topology_labels(&setting.failover_priority, at, checker);
    let failover = Ranking { regions: &setting.failover, labels: &setting.failover_priority };
    failover.check(has_outlier_detection, at, checker);
}

/// Where requests go when endpoints near by have failed: what both kinds of locality settings have.
struct Ranking<'a> {
    regions: &'a [Failover],
    labels: &'a [String],
}

impl Ranking<'_> {
    fn check(&self, has_outlier_detection: bool, at: &FieldPath, checker: &mut Checker<'_>) {
        failover(self.regions, &at.field("failover"), checker);
        let asks = !self.regions.is_empty() || !self.labels.is_empty();
        if !asks || has_outlier_detection {
            return;
        }
        let message =
            "without `outlierDetection` no endpoint ever counts as failed, so nothing fails over";
        let label = "needs `outlierDetection`";
        // Istio's validation drops the warnings of subsets.
        if at.as_str().starts_with("spec.subsets") {
            checker.problem(codes::PIL0010, at, message, label);
        } else {
            checker.warning(at, message, label);
        }
    }
}

fn no_topology_labels(labels: &[String], at: &FieldPath, checker: &mut Checker<'_>) {
    for (index, entry) in labels.iter().enumerate() {
        let label = entry.split_once('=').map_or(entry.as_str(), |(label, _)| label);
        if TOPOLOGY_LABELS.contains(&label) {
            checker.error(
                &at.field("failoverPriority").index(index),
                format!("`{label}` takes part in the order already"),
                "leave it out",
            );
        }
    }
}

fn failover(entries: &[Failover], list: &FieldPath, checker: &mut Checker<'_>) {
    for (index, entry) in entries.iter().enumerate() {
        let at = list.index(index);
        if entry.from == entry.to {
            checker.error(&at, "a region cannot fail over to itself", "the same region");
        }
        for (field, region) in [("from", &entry.from), ("to", &entry.to)] {
            if region.contains('*') || region.contains('/') {
                checker.error(
                    &at.field(field),
                    format!("`{region}` has to be a region alone, without zone or wildcard"),
                    "a region only",
                );
            }
        }
    }
}

fn distribute(entries: &[Distribute], list: &FieldPath, checker: &mut Checker<'_>) {
    let mut sources = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let at = list.index(index);
        localities([(&entry.from, at.field("from"))], &mut sources, checker);
        let targets = entry.to.keys().map(|to| (to, at.field("to").field(to)));
        localities(targets, &mut Vec::new(), checker);
        let mut total: u64 = 0;
        let mut all_fit = true;
        for (to, weight) in &entry.to {
            if !(1..=100).contains(weight) {
                all_fit = false;
                let at = at.field("to").field(to);
                checker.error(
                    &at,
                    format!("a share is from 1 to 100, not {weight}"),
                    "not a share",
                );
            }
            total += u64::from(*weight);
        }
        if all_fit && total != 100 {
            checker.error(
                &at.field("to"),
                format!("the shares add up to {total}, not to 100"),
                "not 100",
            );
        }
    }
}

/// Checks the form of localities, and that none covers one seen before.
fn localities<'a>(
    entries: impl IntoIterator<Item = (&'a String, FieldPath)>,
    seen: &mut Vec<&'a str>,
    checker: &mut Checker<'_>,
) {
    for (locality, at) in entries {
        if let Some(reason) = malformed(locality) {
            checker.error(
                &at,
                format!("`{locality}` is not a locality: {reason}"),
                "region/zone/subzone",
            );
            continue;
        }
        if let Some(other) = seen.iter().find(|other| covers(other, locality)) {
            checker.error(&at, format!("`{locality}` overlaps with `{other}`"), "covered already");
        }
        seen.push(locality);
    }
}

fn malformed(locality: &str) -> Option<&'static str> {
    let parts: Vec<&str> = locality.split('/').collect();
    if parts.len() > 3 {
        return Some("it has more than three parts");
    }
    let wildcards = locality.matches('*').count();
    if wildcards > 1 || (wildcards == 1 && !locality.ends_with('*')) {
        return Some("a wildcard stands only once, at the end");
    }
    if parts.iter().any(|part| part.is_empty()) {
        return Some("a part of it is empty");
    }
    None
}

/// Whether everything in `later` is in `earlier` already. A missing part stands for every value, as does `*`. As on
/// Istio, only the order narrow before wide passes: an earlier, narrower entry leaves work for the later one.
fn covers(earlier: &str, later: &str) -> bool {
    let mut later = later.split('/');
    for part in earlier.split('/') {
        if part == "*" {
            return true;
        }
        if later.next() != Some(part) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{covers, malformed};

    #[test]
    fn forms_and_overlaps() {
        assert!(malformed("a/b/*").is_none() && malformed("*").is_none());
        assert!(malformed("a/*/c").is_some() && malformed("a//c").is_some());
        assert!(covers("a/b", "a/b/c") && covers("a/*", "a/b/c"));
        assert!(!covers("a/b/c", "a/b/d") && !covers("a/b/c", "a/*"));
    }
}
