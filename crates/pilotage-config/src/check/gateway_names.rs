//! Rules of lists of gateways.

use super::checker::Checker;
use super::{hosts, names};
use crate::field_path::FieldPath;

/// Names of gateways. As on Istio, a name that is not `namespace/name` ends the list: what follows it is not looked
/// at, and so cannot make the object invalid.
pub(super) fn check(gateways: &[String], at: &FieldPath, checker: &mut Checker<'_>) {
    for (index, gateway) in gateways.iter().enumerate() {
        let at = at.index(index);
        let Some((namespace, name)) = gateway.split_once('/') else {
            hosts::host_name(gateway, &at, checker);
            return;
        };
        if !names::is_dns_label(namespace) {
            checker.error(
                &at,
                format!("`{namespace}` before the slash is not the name of a namespace"),
                "not a namespace",
            );
        }
        if !names::is_dns_label(name) {
            checker.error(&at, format!("`{name}` is not the name of a gateway"), "not a name");
        }
    }
}

/// The first name in the old dotted form; Istio looks no further, and warns at the object's own list only.
pub(super) fn check_old(gateways: &[String], at: &FieldPath, checker: &mut Checker<'_>) {
    let first = gateways.iter().position(|gateway| !gateway.contains('/'));
    let Some((index, gateway)) = first.and_then(|i| Some((i, gateways.get(i)?))) else { return };
    let mut parts = gateway.split('.');
    if let (Some(name), Some(namespace)) = (parts.next(), parts.next()) {
        checker.warning(
            &at.index(index),
            format!("`{gateway}` is an old way to name a gateway"),
            format!("write {namespace}/{name}"),
        );
    }
}
