//! `exportTo`: who may see an object.

use std::collections::BTreeSet;

use super::checker::Checker;
use super::names;
use crate::field_path::FieldPath;

/// What an `exportTo` belongs to, as far as its rules differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// May be exported to nobody (`~`).
    ServiceEntry,
    /// A rule that selects workloads of its own namespace, and so cannot leave it.
    SelectingRule,
    /// All others.
    Other,
}

pub(super) fn check(export_to: &[String], owner: Owner, checker: &mut Checker<'_>) {
    let list = FieldPath::spec().field("exportTo");
    let own = checker.namespace();
    let mut seen = BTreeSet::new();
    for (index, entry) in export_to.iter().enumerate() {
        let at = list.index(index);
        let namespace = if entry == "." { own } else { entry };
        if !seen.insert(namespace) {
            checker.error(&at, format!("`{entry}` stands twice in `{list}`"), "a second time");
            continue;
        }
        match namespace {
            "*" if export_to.len() > 1 => checker.error(
                &at,
                "exported to everybody (`*`) and to single namespaces at once",
                "leave either this or the others",
            ),
            "*" => {}
            "~" if owner != Owner::ServiceEntry => checker.error(
                &at,
                "only a ServiceEntry can be exported to nobody (`~`)",
                "use `.` for the own namespace",
            ),
            "~" if export_to.len() > 1 => {
                checker.error(&at, "exported to nobody (`~`) and to somebody", "leave one of them");
            }
            "~" => {}
            _ if !names::is_dns_label(namespace) => checker.error(
                &at,
                format!("`{entry}` is not `.`, `*` or the name of a namespace"),
                "not a namespace",
            ),
            _ => {}
        }
        if owner == Owner::SelectingRule && namespace != own {
            checker.error(
                &at,
                "a rule with a workloadSelector holds in its own namespace only",
                "cannot leave the namespace",
            );
        }
    }
}
