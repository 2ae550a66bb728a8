//! What would change the answer: the same request with one header less or one more.

use http::{HeaderName, HeaderValue};

use crate::explain::{Scene, route};
use crate::explanation::{Alternative, Explanation};
use crate::messages;
use crate::request::Request;

/// How many are told.
const MOST: usize = 3;

/// The alternatives: without each header that the rule asked for; else, with the one header that an earlier rule lacked.
pub(crate) fn of(scene: &Scene<'_>, answer: &Explanation) -> Vec<Alternative> {
    let request = &scene.question.request;
    let mut found = Vec::new();
    for (name, value) in asked_for(answer) {
        let mut other = request.clone();
        other.headers.remove(name.as_str());
        found.extend(alternative(scene, answer, &other, format!("without `{name}: {value}`")));
    }
    for (name, value) in lacking(answer) {
        let (Ok(header), Ok(text)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value))
        else {
            continue;
        };
        let mut other = request.clone();
        other.headers.insert(header, text);
        found.extend(alternative(scene, answer, &other, format!("with `{name}: {value}`")));
    }
    found.truncate(MOST);
    found
}

/// Headers of the request that the rule that took it asked for.
fn asked_for(answer: &Explanation) -> Vec<(String, String)> {
    let Some(tried) = answer.trace.iter().find(|tried| tried.matched) else { return Vec::new() };
    let headers = tried.conditions.iter().filter(|condition| condition.kind == "header");
    headers
        .filter(|condition| !condition.name.starts_with(':'))
        .filter_map(|condition| Some((condition.name.clone(), condition.got.clone()?)))
        .collect()
}

/// Headers with exact values that are all an earlier rule lacked.
fn lacking(answer: &Explanation) -> Vec<(String, String)> {
    let failed = answer.trace.iter().filter(|tried| !tried.matched);
    failed
        .filter_map(|tried| {
            let mut missing = tried.conditions.iter().filter(|condition| !condition.holds);
            let only = missing.next().filter(|_| missing.next().is_none())?;
            let value = only.wanted.strip_prefix("exact ")?;
            let is_header = only.kind == "header" && !only.name.starts_with(':');
            is_header.then(|| (only.name.clone(), value.to_owned()))
        })
        .collect()
}

fn alternative(
    scene: &Scene<'_>,
    answer: &Explanation,
    request: &Request,
    change: String,
) -> Option<Alternative> {
    let other = route(scene, request, false);
    let text = messages::short(&other);
    let same = text == messages::short(answer) && other.rule == answer.rule;
    (!same).then_some(Alternative { change, rule: other.rule, text })
}
