//! Rewrites that put two slashes, or none, where the prefix and the rest of a path meet (PIL0307).

use pilotage_config::virtual_service::StringMatch;
use pilotage_config::{Diagnostic, codes};

use super::{Context, http_rules};

/// One problem for each match by prefix that a rewrite does not fit.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for rule in http_rules(context.objects()) {
        let Some(rewrite) = rule.http.rewrite.as_ref().filter(|r| !r.uri.is_empty()) else {
            continue;
        };
        let to = &rewrite.uri;
        for (index, block) in rule.http.match_.iter().enumerate() {
            let Some(StringMatch::Prefix(prefix)) = &block.uri else { continue };
            let Some((request, becomes)) = example(prefix, to) else { continue };
            let message = format!("a request for `{request}` is sent on as `{becomes}`");
            let path = rule.path.field("rewrite").field("uri");
            let problem = rule
                .object
                .value_diagnostic(codes::PIL0307, &path, message, "replaces the prefix as a text")
                .help("let the prefix and what replaces it both end with a slash, or neither");
            let path = rule.path.field("match").index(index).field("uri");
            problems.push(rule.object.also_value(problem, &path, "this prefix"));
        }
    }
    problems
}

/// A request that comes out wrong, and how.
fn example(prefix: &str, to: &str) -> Option<(String, String)> {
    match (prefix.ends_with('/'), to.ends_with('/')) {
        (false, true) => Some((format!("{prefix}/x"), format!("{to}/x"))),
        (true, false) => Some((format!("{prefix}x"), format!("{to}x"))),
        (true, true) | (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::example;

    #[test]
    fn slashes_have_to_agree() {
        assert_eq!(example("/api", "/"), Some(("/api/x".to_owned(), "//x".to_owned())));
        assert_eq!(example("/api/", "/v1"), Some(("/api/x".to_owned(), "/v1x".to_owned())));
        assert_eq!(example("/api/", "/"), None);
        assert_eq!(example("/api", "/v1"), None);
    }
}
