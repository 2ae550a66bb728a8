//! Prefixes that also begin paths beside the one that they mean, when a later rule is for such a path (PIL0306).

use pilotage_config::object::Object;
use pilotage_config::virtual_service::{HttpMatchRequest, StringMatch, VirtualService};
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::{Context, virtual_services};

/// The most blocks of one object that are compared with each other. Beyond it lies no configuration that anybody
/// writes, and the comparison would cost the square.
const BLOCKS_MAX: usize = 1_000;

/// A match by path.
struct ByPath<'a> {
    block: &'a HttpMatchRequest,
    rule: usize,
    path: FieldPath,
}

/// One problem for each path that an earlier prefix takes by accident.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for (object, spec) in virtual_services(context.objects()) {
        let blocks = blocks(spec);
        let prefixes: Vec<(&str, &ByPath<'_>)> = blocks
            .iter()
            .filter_map(|block| match &block.block.uri {
                Some(StringMatch::Prefix(text)) if !text.ends_with('/') => {
                    Some((text.as_str(), block))
                }
                _ => None,
            })
            .collect();
        for later in &blocks {
            let Some(StringMatch::Prefix(path) | StringMatch::Exact(path)) = &later.block.uri
            else {
                continue;
            };
            let taken = prefixes.iter().find(|(prefix, earlier)| {
                earlier.rule < later.rule
                    && is_sibling(prefix, path)
                    && takes(earlier.block, later.block)
            });
            if let Some((prefix, earlier)) = taken {
                problems.push(problem(object, later, path, earlier, prefix));
            }
        }
    }
    problems
}

fn blocks(spec: &VirtualService) -> Vec<ByPath<'_>> {
    let mut blocks = Vec::new();
    for (rule, http) in spec.http.iter().enumerate() {
        for (index, block) in http.match_.iter().enumerate() {
            let path = FieldPath::spec().field("http").index(rule).field("match").index(index);
            if block.uri.is_some() {
                blocks.push(ByPath { block, rule, path: path.field("uri") });
            }
        }
    }
    blocks.truncate(BLOCKS_MAX);
    blocks
}

/// Whether `path` begins with `prefix`, and not at the end of a segment.
fn is_sibling(prefix: &str, path: &str) -> bool {
    let rest = path.strip_prefix(prefix).unwrap_or_default();
    !prefix.is_empty() && !rest.is_empty() && !rest.starts_with('/')
}

/// Whether a block asks for nothing beside its path that the later one does not ask for as well.
fn takes(earlier: &HttpMatchRequest, later: &HttpMatchRequest) -> bool {
    let plain = |block: &HttpMatchRequest| HttpMatchRequest {
        uri: None,
        name: String::new(),
        stat_prefix: String::new(),
        ignore_uri_case: false,
        ..block.clone()
    };
    let earlier = plain(earlier);
    earlier == HttpMatchRequest::default() || earlier == plain(later)
}

fn problem(
    object: &Object,
    later: &ByPath<'_>,
    path: &str,
    earlier: &ByPath<'_>,
    prefix: &str,
) -> Diagnostic {
    let message =
        format!("requests for `{path}` never get here: `{path}` also begins with `{prefix}`");
    let problem = object
        .value_diagnostic(codes::PIL0306, &later.path, message, "taken by an earlier rule")
        .help(format!(
            "match `prefix: {prefix}/` and `exact: {prefix}` instead, or put this rule before the other one"
        ));
    object.also_value(problem, &earlier.path, "a prefix of text, not of segments")
}

#[cfg(test)]
mod tests {
    use super::is_sibling;

    #[test]
    fn segments_end_with_a_slash() {
        assert!(is_sibling("/api", "/apiv2") && is_sibling("/api", "/api-docs"));
        assert!(!is_sibling("/api", "/api") && !is_sibling("/api", "/api/v2"));
        assert!(!is_sibling("/api", "/ap") && !is_sibling("", "/x"));
    }
}
