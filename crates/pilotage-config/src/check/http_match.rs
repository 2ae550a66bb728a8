//! Rules of one match block of an HTTP rule.

use super::checker::Checker;
use super::scope::Scope;
use super::{any_match, names, string_match};
use crate::codes;
use crate::field_path::FieldPath;
use crate::virtual_service::{CLAIMS, HttpMatchRequest, StringMatch};

pub(super) fn check(
    block: &HttpMatchRequest,
    scope: Scope,
    at: &FieldPath,
    checker: &mut Checker<'_>,
) {
    header_matches(block, scope, at, checker);
    for (name, value) in &block.query_params {
        if let Some(value) = value {
            string_match::check(value, &at.field("queryParams").field(name), checker);
        }
    }
    for (field, value) in
        [("scheme", &block.scheme), ("method", &block.method), ("authority", &block.authority)]
    {
        if let Some(value) = value {
            string_match::check(value, &at.field(field), checker);
        }
    }
    // An empty prefix is fine here: every path begins with it.
    if let Some(StringMatch::Regex(pattern)) = &block.uri {
        string_match::regex(pattern, &at.field("uri"), checker);
    }
    any_match::check(block, at, checker);
}

fn header_matches(
    block: &HttpMatchRequest,
    scope: Scope,
    at: &FieldPath,
    checker: &mut Checker<'_>,
) {
    for (field, headers) in
        [("headers", &block.headers), ("withoutHeaders", &block.without_headers)]
    {
        for (name, value) in headers {
            let at = at.field(field).field(name);
            header_name(name, scope, &at, checker);
            if name.starts_with(CLAIMS) && !scope.is_mesh {
                unknown_claim(field == "withoutHeaders", &at, checker);
            }
            match value {
                // Istio takes both for a test of presence.
                None => {}
                Some(StringMatch::Regex(all)) if all == "*" && field == "withoutHeaders" => {}
                Some(value) => string_match::check(value, &at, checker),
            }
        }
    }
}

/// Tokens are read by a filter of Envoy that is not part of this proxy.
fn unknown_claim(is_unwanted: bool, at: &FieldPath, checker: &mut Checker<'_>) {
    let (outcome, label) = match is_unwanted {
        false => ("no request ever has the claim", "never holds here"),
        true => ("every request is without the claim", "always holds here"),
    };
    let message = format!("tokens are not read here yet, so that {outcome}");
    checker.problem(codes::PIL0014, at, message, label);
}

fn header_name(name: &str, scope: Scope, at: &FieldPath, checker: &mut Checker<'_>) {
    if name.is_empty() {
        checker.error(at, "a header match needs the name of a header", "no name");
    } else if name.starts_with(CLAIMS) {
        if scope.is_mesh {
            checker.error(
                at,
                "claims of a JWT can be matched at gateways only",
                "not with gateway `mesh`",
            );
        }
    } else if !names::is_token(name) && !names::is_pseudo_header(name) {
        checker.error(at, format!("`{name}` is not a header name"), "not a header name");
    }
}
