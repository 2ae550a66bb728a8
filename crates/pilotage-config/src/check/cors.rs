//! Rules of a CORS policy.

use super::checker::Checker;
use super::{names, string_match};
use crate::field_path::FieldPath;
use crate::virtual_service::{CorsPolicy, StringMatch};

pub(super) fn check(policy: &CorsPolicy, at: &FieldPath, checker: &mut Checker<'_>) {
    for (index, origin) in policy.allow_origins.iter().enumerate() {
        let at = at.field("allowOrigins").index(index);
        if origin.pattern().is_none_or(str::is_empty) {
            checker.error(&at, "an allowed origin cannot be empty", "which origin?");
        } else if let StringMatch::Regex(pattern) = origin {
            string_match::regex(pattern, &at, checker);
        }
    }
    for (index, method) in policy.allow_methods.iter().enumerate() {
        let known =
            ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"];
        if !known.contains(&method.as_str()) {
            let at = at.field("allowMethods").index(index);
            checker.error(&at, format!("`{method}` is not an HTTP method"), "unknown method");
        }
    }
    for (field, list) in
        [("allowHeaders", &policy.allow_headers), ("exposeHeaders", &policy.expose_headers)]
    {
        for (index, name) in list.iter().enumerate() {
            if name != "*" && !names::is_token(name) {
                let at = at.field(field).index(index);
                checker.error(&at, format!("`{name}` is not a header name"), "not a header name");
            }
        }
    }
    let at = at.field("maxAge");
    checker.duration(&at, policy.max_age);
    if policy.max_age.is_some_and(|age| age.as_nanos() % 1_000_000_000 != 0) {
        checker.error(&at, "`maxAge` is given to browsers in whole seconds", "no fractions");
    }
}
