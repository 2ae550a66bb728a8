//! Rules of a rewrite.

use super::checker::Checker;
use super::string_match;
use crate::field_path::FieldPath;
use crate::virtual_service::HttpRewrite;

pub(super) fn check(rewrite: &HttpRewrite, at: &FieldPath, checker: &mut Checker<'_>) {
    let regex = rewrite.uri_regex_rewrite.as_ref();
    if rewrite.uri.is_empty() && rewrite.authority.is_empty() && regex.is_none() {
        checker.error(
            at,
            "a rewrite has to change something",
            "needs uri, authority or uriRegexRewrite",
        );
    }
    let Some(regex) = regex else { return };
    let at_regex = at.field("uriRegexRewrite");
    if !rewrite.uri.is_empty() {
        checker.error(
            at,
            "`uri` and `uriRegexRewrite` both say what the path becomes",
            "one of them",
        );
    }
    if regex.match_.is_empty() || regex.rewrite.is_empty() {
        checker.error(&at_regex, "both `match` and `rewrite` are needed", "incomplete");
    } else {
        string_match::regex(&regex.match_, &at_regex.field("match"), checker);
    }
}
