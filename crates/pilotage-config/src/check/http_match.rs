//! Rules of one match block of an HTTP rule.

use super::checker::Checker;
use super::virtual_service::{self, Scope};
use super::{names, ports, selector};
use crate::field_path::FieldPath;
use crate::virtual_service::{HttpMatchRequest, StringMatch};

/// Longest regular expression, in bytes.
const REGEX_BYTES_MAX: usize = 1024;
/// What header names begin with that look at a claim of the request's JWT.
const CLAIM_PREFIX: &str = "@request.auth.claims";

pub(super) fn check(
    block: &HttpMatchRequest,
    scope: Scope,
    at: &FieldPath,
    checker: &mut Checker<'_>,
) {
    header_matches(block, scope, at, checker);
    for (name, value) in &block.query_params {
        if let Some(value) = value {
            string_match(value, &at.field("queryParams").field(name), checker);
        }
    }
    for (field, value) in
        [("scheme", &block.scheme), ("method", &block.method), ("authority", &block.authority)]
    {
        if let Some(value) = value {
            string_match(value, &at.field(field), checker);
        }
    }
    // An empty prefix is fine here: every path begins with it.
    if let Some(StringMatch::Regex(pattern)) = &block.uri {
        regex(pattern, &at.field("uri"), checker);
    }
    ports::optional_number(block.port, &at.field("port"), checker);
    selector::labels(&block.source_labels, &at.field("sourceLabels"), checker);
    virtual_service::gateway_names(&block.gateways, &at.field("gateways"), checker);
    source_namespace(&block.source_namespace, at, checker);
}

/// `sourceNamespace` of any match block.
pub(super) fn source_namespace(namespace: &str, at: &FieldPath, checker: &mut Checker<'_>) {
    if !namespace.is_empty() && !names::is_dns_label(namespace) {
        checker.error(
            &at.field("sourceNamespace"),
            format!("`{namespace}` is not the name of a namespace"),
            "not a namespace",
        );
    }
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
            match value {
                // Istio takes both for a test of presence.
                None => {}
                Some(StringMatch::Regex(all)) if all == "*" && field == "withoutHeaders" => {}
                Some(value) => string_match(value, &at, checker),
            }
        }
    }
}

fn header_name(name: &str, scope: Scope, at: &FieldPath, checker: &mut Checker<'_>) {
    if name.is_empty() {
        checker.error(at, "a header match needs the name of a header", "no name");
    } else if name.starts_with(CLAIM_PREFIX) {
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

/// A comparison that says something: no empty prefix, a regular expression that compiles.
pub(super) fn string_match(value: &StringMatch, at: &FieldPath, checker: &mut Checker<'_>) {
    match value {
        StringMatch::Prefix(prefix) if prefix.is_empty() => {
            checker.error(at, format!("the prefix of `{at}` is empty"), "every value has it");
        }
        StringMatch::Regex(pattern) => regex(pattern, at, checker),
        StringMatch::Unset | StringMatch::Exact(_) | StringMatch::Prefix(_) => {}
    }
}

/// A regular expression in RE2's syntax.
pub(super) fn regex(pattern: &str, at: &FieldPath, checker: &mut Checker<'_>) {
    if pattern.is_empty() {
        checker.error(at, format!("the regular expression of `{at}` is empty"), "matches nothing");
    } else if pattern.len() > REGEX_BYTES_MAX {
        let message =
            format!("the regular expression of `{at}` has more than {REGEX_BYTES_MAX} bytes");
        checker.error(at, message, "too long");
    } else if let Err(error) = compiles(pattern) {
        let text = error.to_string();
        // The last line says what is wrong; those before draw the pattern once more.
        let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        checker.error(
            at,
            format!("`{pattern}` is not a regular expression: {reason}"),
            "cannot be used",
        );
        if pattern == "*" {
            checker.help("write `.*` for any text, or an empty match (`{}`) to test for presence");
        }
    }
}

/// Whether `pattern` can be compiled. To read it is enough, and takes a fraction of the time, unless it may turn out too
/// large: counted repetitions and classes of Unicode are large for their length.
fn compiles(pattern: &str) -> Result<(), regex::Error> {
    let large = ["{", r"\p", r"\P", r"\w", r"\W"].iter().any(|part| pattern.contains(part));
    if !large && regex_syntax::parse(pattern).is_ok() {
        return Ok(());
    }
    regex::Regex::new(pattern).map(drop)
}

#[cfg(test)]
mod tests {
    use super::{REGEX_BYTES_MAX, compiles};

    #[test]
    fn what_is_only_read_would_compile() {
        for unit in ["a", ".", r"\d", r"\D", r"\s", r"\S", "[^a]", "(a|.)", "[à-ÿ]?", "k*"] {
            let pattern = format!("(?i){}", unit.repeat((REGEX_BYTES_MAX - 4) / unit.len()));
            assert!(compiles(&pattern).is_ok(), "{unit}");
            assert!(regex::Regex::new(&pattern).is_ok(), "{unit}");
        }
        assert!(compiles("a{1000}{1000}{1000}").is_err());
        assert!(compiles("(").is_err());
    }
}
