//! Conditions that no request meets: paths without a slash in front, methods and schemes in the wrong case (PIL0313).
//! Names of headers are compared without regard to case, so nothing can be wrong with theirs.

use pilotage_config::virtual_service::{HttpMatchRequest, StringMatch};
use pilotage_config::{Diagnostic, codes};

use super::{Context, http_rules};

/// One problem for each such condition.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for rule in http_rules(context.objects()) {
        for (index, block) in rule.http.match_.iter().enumerate() {
            let at = rule.path.field("match").index(index);
            for (field, name, value) in conditions(block) {
                let Some((reason, help)) = impossible(name, value) else { continue };
                let mut path = at.field(field);
                if field == "headers" {
                    path = path.field(name);
                }
                let text = value.pattern().unwrap_or_default();
                let message = format!("no request has this: {reason}, and `{text}` does not");
                problems.push(
                    rule.object
                        .value_diagnostic(codes::PIL0313, &path, message, "never matches")
                        .help(help),
                );
            }
        }
    }
    problems
}

/// The conditions of a block: the field, what it looks at, and what it asks for.
fn conditions(
    block: &HttpMatchRequest,
) -> impl Iterator<Item = (&'static str, &str, &StringMatch)> {
    let fields = [
        ("uri", ":path", &block.uri),
        ("method", ":method", &block.method),
        ("scheme", ":scheme", &block.scheme),
    ];
    let fields =
        fields.into_iter().filter_map(|(field, name, value)| Some((field, name, value.as_ref()?)));
    let headers = block.headers.iter().filter(|(name, _)| name.starts_with(':'));
    let headers =
        headers.filter_map(|(name, value)| Some(("headers", name.as_str(), value.as_ref()?)));
    fields.chain(headers)
}

/// Why nothing can match, and what to write instead.
fn impossible(name: &str, value: &StringMatch) -> Option<(&'static str, String)> {
    let (StringMatch::Exact(text) | StringMatch::Prefix(text)) = value else { return None };
    let has_lower = text.bytes().any(|byte| byte.is_ascii_lowercase());
    let has_upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
    match name {
        ":path" if text == "*" => None,
        ":path" if !text.is_empty() && !text.starts_with('/') => {
            Some(("paths begin with a slash", format!("write `/{text}`")))
        }
        ":method" if has_lower => Some((
            "methods are compared by case and written in upper case",
            format!("write `{}`", text.to_ascii_uppercase()),
        )),
        ":scheme" if has_upper => Some((
            "schemes are written in lower case",
            format!("write `{}`", text.to_ascii_lowercase()),
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_never_be_is_told() {
        let exact = |text: &str| StringMatch::Exact(text.to_owned());
        assert!(impossible(":path", &exact("api")).is_some());
        assert!(impossible(":path", &StringMatch::Prefix("/".to_owned())).is_none());
        assert!(impossible(":path", &StringMatch::Regex("api.*".to_owned())).is_none());
        assert!(impossible(":method", &exact("get")).is_some());
        assert!(impossible(":method", &exact("GET")).is_none());
        assert!(impossible(":scheme", &exact("HTTPS")).is_some());
        assert!(impossible(":authority", &exact("A.example")).is_none());
    }
}
