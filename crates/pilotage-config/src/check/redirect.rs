//! Rules of a redirect.

use super::checker::Checker;
use super::ports;
use crate::field_path::FieldPath;
use crate::virtual_service::{HttpRedirect, HttpRoute, StringMatch};

pub(super) fn check(
    redirect: &HttpRedirect,
    route: &HttpRoute,
    at: &FieldPath,
    checker: &mut Checker<'_>,
) {
    let nothing = redirect.uri.is_empty()
        && redirect.prefix_rewrite.is_empty()
        && redirect.authority.is_empty()
        && redirect.scheme.is_empty()
        && redirect.port.is_none()
        && redirect.derive_port.is_none();
    if nothing {
        checker.error(
            at,
            "a redirect has to change something",
            "needs uri, authority, port or scheme",
        );
    }
    if !redirect.prefix_rewrite.is_empty() {
        if !redirect.uri.is_empty() {
            checker.error(
                at,
                "`uri` and `prefixRewrite` both say what the path becomes",
                "one of them",
            );
        }
        let by_prefix = |uri: &Option<StringMatch>| matches!(uri, Some(StringMatch::Prefix(_)));
        if route.match_.iter().any(|block| block.uri.is_some() && !by_prefix(&block.uri)) {
            checker.error(
                &at.field("prefixRewrite"),
                "`prefixRewrite` needs matches by uri prefix: nothing else tells what to replace",
                "not with exact or regex",
            );
        }
    }
    let code = redirect.redirect_code;
    if code != 0 && !(300..=399).contains(&code) {
        checker.error(&at.field("redirectCode"), format!("{code} does not redirect"), "300 to 399");
    }
    if !matches!(redirect.scheme.as_str(), "" | "http" | "https") {
        checker.error(&at.field("scheme"), "the scheme has to be http or https", "unknown scheme");
    }
    if let Some(port) = redirect.port {
        ports::number(port, &at.field("port"), checker);
    }
}
