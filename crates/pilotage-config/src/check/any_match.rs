//! Rules of what match blocks of all protocols have.

use std::collections::BTreeMap;

use super::checker::Checker;
use super::{gateway_names, names, ports, selector};
use crate::field_path::FieldPath;
use crate::virtual_service::{HttpMatchRequest, L4MatchAttributes, TlsMatchAttributes};

/// What they have.
pub(super) struct Conditions<'a> {
    port: u32,
    source_labels: &'a BTreeMap<String, String>,
    gateways: &'a [String],
    source_namespace: &'a str,
}

macro_rules! conditions_of {
    ($($block:ident),+) => {$(
        impl<'a> From<&'a $block> for Conditions<'a> {
            fn from(block: &'a $block) -> Self {
                Self {
                    port: block.port,
                    source_labels: &block.source_labels,
                    gateways: &block.gateways,
                    source_namespace: &block.source_namespace,
                }
            }
        }
    )+};
}

conditions_of!(HttpMatchRequest, L4MatchAttributes, TlsMatchAttributes);

pub(super) fn check<'a>(
    block: impl Into<Conditions<'a>>,
    at: &FieldPath,
    checker: &mut Checker<'_>,
) {
    let Conditions { port, source_labels, gateways, source_namespace } = block.into();
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
