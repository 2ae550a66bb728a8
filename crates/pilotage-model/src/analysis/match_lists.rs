//! Lists of match blocks that read like one condition and are several (PIL0305).

use std::collections::BTreeSet;

use pilotage_config::virtual_service::{HttpMatchRequest, StringMatch};
use pilotage_config::{Diagnostic, codes};

use super::{Context, http_rules};

/// One problem for each rule whose blocks each look at one thing, and each at another one.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for rule in http_rules(context.objects()) {
        let blocks = &rule.http.match_;
        let kinds: Option<Vec<&str>> = blocks.iter().map(only_kind).collect();
        let Some(kinds) = kinds.filter(|kinds| kinds.len() > 1) else { continue };
        if kinds.iter().collect::<BTreeSet<_>>().len() < kinds.len() {
            continue;
        }
        let message = format!(
            "these matches are alternatives: {} is enough, not all together",
            kinds.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(" or ")
        );
        let path = rule.path.field("match");
        let second = path.index(1);
        let problem = rule
            .object
            .diagnostic(codes::PIL0305, &second, message, "a dash begins an alternative")
            .help("for a condition that asks for all, put them into one item: only the first with a dash");
        problems.push(rule.object.also(problem, &path.index(0), "the first alternative"));
    }
    problems
}

/// What a block looks at, if it is one thing.
fn only_kind(block: &HttpMatchRequest) -> Option<&'static str> {
    let is_set =
        |value: &Option<StringMatch>| value.as_ref().is_some_and(|v| *v != StringMatch::Unset);
    let present = [
        ("uri", is_set(&block.uri)),
        ("scheme", is_set(&block.scheme)),
        ("method", is_set(&block.method)),
        ("authority", is_set(&block.authority)),
        ("headers", !block.headers.is_empty()),
        ("withoutHeaders", !block.without_headers.is_empty()),
        ("queryParams", !block.query_params.is_empty()),
    ];
    let others = block.port != 0
        || !block.source_labels.is_empty()
        || !block.gateways.is_empty()
        || !block.source_namespace.is_empty();
    let mut kinds = present.iter().filter(|(_, is_present)| *is_present).map(|(kind, _)| *kind);
    let first = kinds.next()?;
    (kinds.next().is_none() && !others).then_some(first)
}
