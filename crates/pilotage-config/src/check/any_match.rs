//! Rules of what match blocks of all protocols have.

use std::collections::BTreeMap;

use super::checker::Checker;
use super::{gateway_names, names, ports, selector};
use crate::field_path::FieldPath;

pub(super) fn check(
    port: u32,
    source_labels: &BTreeMap<String, String>,
    gateways: &[String],
    source_namespace: &str,
    at: &FieldPath,
    checker: &mut Checker<'_>,
) {
    ports::optional_number(port, &at.field("port"), checker);
    selector::labels(source_labels, &at.field("sourceLabels"), checker);
    gateway_names::check(gateways, &at.field("gateways"), checker);
    if !source_namespace.is_empty() && !names::is_dns_label(source_namespace) {
        checker.error(
            &at.field("sourceNamespace"),
            format!("`{source_namespace}` is not the name of a namespace"),
            "not a namespace",
        );
    }
}
