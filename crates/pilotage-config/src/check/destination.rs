//! Rules of destinations and of their weights.

use super::checker::Checker;
use super::{hosts, names, ports};
use crate::field_path::FieldPath;
use crate::virtual_service::Destination;

/// One entry of a weighted list.
pub(super) fn weighted(
    target: Option<&Destination>,
    weight: i32,
    at: &FieldPath,
    checker: &mut Checker<'_>,
) {
    match target {
        Some(target) => check(target, &at.field("destination"), checker),
        None => checker.error(at, format!("`{at}` has no destination"), "needs a `destination`"),
    }
    checker.not_negative(&at.field("weight"), weight);
}

/// Of several weights at least one has to be more than zero.
pub(super) fn weights_add_up(
    weights: impl ExactSizeIterator<Item = i32>,
    at: &FieldPath,
    checker: &mut Checker<'_>,
) {
    if weights.len() > 1 && weights.map(i64::from).sum::<i64>() == 0 {
        checker.error(at, format!("all weights of `{at}` are 0"), "nobody gets a request");
        checker.help("give each destination its share with `weight`");
    }
}

/// Host, subset and port of a destination.
pub(super) fn check(destination: &Destination, at: &FieldPath, checker: &mut Checker<'_>) {
    if destination.host == "*" {
        checker.error(&at.field("host"), "a destination is one host, not `*`", "not a host");
    } else {
        hosts::wildcard_host(&destination.host, &at.field("host"), checker);
    }
    if !destination.subset.is_empty() && !names::is_dns_label(&destination.subset) {
        checker.error(
            &at.field("subset"),
            format!("`{}` is not the name of a subset", destination.subset),
            "letters, digits and dashes only",
        );
    }
    if let Some(port) = &destination.port {
        ports::number(port.number, &at.field("port").field("number"), checker);
    }
}
