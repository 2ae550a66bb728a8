//! Selectors and label maps.

use std::collections::BTreeMap;

use super::checker::Checker;
use super::names;
use crate::field_path::FieldPath;

/// Labels of workloads, as a match or subset names them.
pub(super) fn labels(labels: &BTreeMap<String, String>, at: &FieldPath, checker: &mut Checker<'_>) {
    for (key, value) in labels {
        let at = at.field(key);
        if let Err(reason) = names::label_key(key) {
            checker.error(
                &at,
                format!("`{key}` is not a label name: {reason}"),
                "not a label name",
            );
        }
        if let Err(reason) = names::label_value(value) {
            checker.error(&at, format!("`{value}` is not a label value: {reason}"), "not a value");
        }
    }
}

/// A `workloadSelector`: keys that say something, and no wildcards. Without labels it means everybody, which is
/// worth a warning.
pub(super) fn workload_selector(
    labels: &BTreeMap<String, String>,
    at: &FieldPath,
    checker: &mut Checker<'_>,
) {
    if labels.is_empty() {
        checker.warning(
            at,
            format!("`{at}` has no labels, so it selects every workload of the namespace"),
            "selects everything",
        );
    }
    for (key, value) in labels {
        let at = at.field(key);
        if key.is_empty() {
            checker.error(&at, "a selector needs the name of a label", "no name");
        }
        if key.contains('*') || value.contains('*') {
            checker.error(&at, "a selector cannot contain wildcards", "no `*` here");
        }
    }
}
