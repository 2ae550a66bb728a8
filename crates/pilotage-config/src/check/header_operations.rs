//! `headers`: what may be set, added and removed.

use super::checker::Checker;
use super::percent_format;
use crate::field_path::FieldPath;
use crate::virtual_service::{HeaderOperations, Headers};

/// Header operations of a rule or of one destination.
pub(super) fn check(headers: Option<&Headers>, at: &FieldPath, checker: &mut Checker<'_>) {
    let Some(headers) = headers else { return };
    if let Some(operations) = &headers.request {
        check_operations(operations, true, &at.field("request"), checker);
    }
    if let Some(operations) = &headers.response {
        check_operations(operations, false, &at.field("response"), checker);
    }
}

fn check_operations(
    operations: &HeaderOperations,
    is_request: bool,
    at: &FieldPath,
    checker: &mut Checker<'_>,
) {
    for (field, entries) in [("set", &operations.set), ("add", &operations.add)] {
        let at = at.field(field);
        for (name, value) in entries {
            let at = at.field(name);
            check_name(name, is_request, &at, checker);
            if let Err(reason) = percent_format::header_value(value) {
                checker.error(&at, format!("the value of header `{name}`: {reason}"), "bad value");
            }
        }
    }
    for (index, name) in operations.remove.iter().enumerate() {
        check_name(name, false, &at.field("remove").index(index), checker);
    }
}

fn check_name(name: &str, authority_allowed: bool, at: &FieldPath, checker: &mut Checker<'_>) {
    if name.is_empty() {
        checker.error(at, "a header needs a name", "no name");
    } else if authority_allowed && is_authority(name) {
        // Becomes a rewrite of the authority.
    } else if name.starts_with(':') {
        checker.error(at, format!("pseudo header `{name}` cannot be changed here"), "not a header");
    } else if name.eq_ignore_ascii_case("host") {
        checker.error(at, "the Host header cannot be changed here", "not possible");
    }
}

/// Whether a header of this name is the request's authority.
pub(super) fn is_authority(name: &str) -> bool {
    name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case(":authority")
}

/// The authority can be set in one place only: by a rewrite or by one header operation.
pub(super) fn authority_once(
    rewritten: bool,
    headers: Option<&Headers>,
    at: &FieldPath,
    checker: &mut Checker<'_>,
) {
    let Some(request) = headers.and_then(|h| h.request.as_ref()) else { return };
    let mut taken = rewritten;
    for (field, entries) in [("set", &request.set), ("add", &request.add)] {
        for name in entries.keys().filter(|name| is_authority(name)) {
            if taken {
                let at = at.field("request").field(field).field(name);
                checker.error(&at, "the authority is set in more than one place", "a second time");
            }
            taken = true;
        }
    }
}
