//! Rules and match blocks that can never be used, found as Istio's validation finds them.
//!
//! This is a comparison of texts, not a proof; `docs/differences.md` says what a proof adds.

use std::collections::BTreeMap;

use super::checker::Checker;
use crate::codes;
use crate::field_path::FieldPath;
use crate::virtual_service::{HttpMatchRequest, HttpRoute, StringMatch, TcpRoute, TlsRoute};

pub(super) fn check_http(rules: &[HttpRoute], checker: &mut Checker<'_>) {
    let rules: Vec<_> = rules
        .iter()
        .map(|rule| {
            let plain = |block: &HttpMatchRequest| HttpMatchRequest {
                name: String::new(),
                ..block.clone()
            };
            (rule.name.as_str(), rule.match_.iter().map(plain).collect())
        })
        .collect();
    check(&rules, "http", covers, checker);
}

pub(super) fn check_tls(rules: &[TlsRoute], checker: &mut Checker<'_>) {
    let rules: Vec<_> = rules.iter().map(|rule| ("", rule.match_.clone())).collect();
    check(&rules, "tls", |_, _| false, checker);
}

pub(super) fn check_tcp(rules: &[TcpRoute], checker: &mut Checker<'_>) {
    let rules: Vec<_> = rules.iter().map(|rule| ("", rule.match_.clone())).collect();
    check(&rules, "tcp", |_, _| false, checker);
}

/// Walks the rules (name and match blocks) of one list in order.
fn check<M: PartialEq + Clone>(
    rules: &[(&str, Vec<M>)],
    list: &str,
    covers: impl Fn(&M, &M) -> bool,
    checker: &mut Checker<'_>,
) {
    let mut catch_all: Option<FieldPath> = None;
    let mut seen: Vec<(FieldPath, M)> = Vec::new();
    for (index, (name, blocks)) in rules.iter().enumerate() {
        let at = FieldPath::spec().field(list).index(index);
        let title = if name.is_empty() { format!("{list}[{index}]") } else { format!("`{name}`") };
        let dead = format!("rule {title} can never be used");
        if let Some(first) = &catch_all {
            let label = if blocks.is_empty() {
                "only the last rule can do without `match`"
            } else {
                "nothing comes this far"
            };
            checker.problem(codes::IST0130, &at, dead, label);
            checker.also_at(first, "takes everything");
            continue;
        }
        if blocks.is_empty() {
            catch_all = Some(at);
            continue;
        }
        let mut duplicates = Vec::new();
        for (block_index, block) in blocks.iter().enumerate() {
            let at = at.field("match").index(block_index);
            if let Some((first, _)) = seen.iter().find(|(_, earlier)| earlier == block) {
                duplicates.push((at, first.clone()));
                continue;
            }
            let first = seen.iter().find(|(_, earlier)| covers(earlier, block));
            if let Some((first, _)) = first {
                ineffective(&at, first, checker);
            }
            seen.push((at, block.clone()));
        }
        for (at, first) in &duplicates {
            ineffective(at, first, checker);
        }
        if duplicates.len() == blocks.len() {
            checker.problem(codes::IST0130, &at, dead, "all its matches stand further up");
        }
    }
}

fn ineffective(at: &FieldPath, first: &FieldPath, checker: &mut Checker<'_>) {
    let message = format!("match `{at}` can never be used");
    checker.problem(codes::IST0131, at, message, "covered already");
    checker.also_at(first, "takes all these requests");
}

/// Whether an earlier match by uri prefix takes everything that `later`, also by prefix, would take.
fn covers(earlier: &HttpMatchRequest, later: &HttpMatchRequest) -> bool {
    let (Some(StringMatch::Prefix(short)), Some(StringMatch::Prefix(long))) =
        (&earlier.uri, &later.uri)
    else {
        return false;
    };
    let method = |block: &HttpMatchRequest| {
        block.method.clone().unwrap_or_else(|| StringMatch::Exact("GET".to_owned()))
    };
    !short.is_empty()
        && short != long
        && long.starts_with(short.as_str())
        && earlier.port == later.port
        && compatible(&method(earlier), &method(later))
        && optional(earlier.authority.as_ref(), later.authority.as_ref())
        && maps(&earlier.headers, &later.headers)
        && maps(&earlier.query_params, &later.query_params)
        && maps(&earlier.without_headers, &later.without_headers)
}

/// Istio compares the spelled-out values: equal, or the earlier one begins with the later one.
fn compatible(earlier: &StringMatch, later: &StringMatch) -> bool {
    let spelled = |value: &StringMatch| match value {
        StringMatch::Unset => String::new(),
        StringMatch::Exact(text) => format!("exact:\"{text}\""),
        StringMatch::Prefix(text) => format!("prefix:\"{text}\""),
        StringMatch::Regex(text) => format!("regex:\"{text}\""),
    };
    earlier == later || spelled(earlier).starts_with(&spelled(later))
}

fn optional(earlier: Option<&StringMatch>, later: Option<&StringMatch>) -> bool {
    match (earlier, later) {
        (None, None) => true,
        (Some(earlier), Some(later)) => compatible(earlier, later),
        _ => false,
    }
}

fn maps(
    earlier: &BTreeMap<String, Option<StringMatch>>,
    later: &BTreeMap<String, Option<StringMatch>>,
) -> bool {
    earlier.len() == later.len()
        && earlier
            .iter()
            .all(|(key, a)| later.get(key).is_some_and(|b| optional(a.as_ref(), b.as_ref())))
}
