//! Labels and selectors of them.

use std::collections::BTreeMap;

/// Labels of a workload, or conditions on them.
pub type Labels = BTreeMap<String, String>;

/// Whether `labels` has every entry of `selector`.
#[must_use]
pub fn selects(selector: &Labels, labels: &Labels) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// A selector as Kubernetes' tools write it: `app=web,tier=front`.
#[must_use]
pub fn selector_text(selector: &Labels) -> String {
    let pairs = selector.iter().map(|(key, value)| format!("{key}={value}"));
    pairs.collect::<Vec<_>>().join(",")
}
