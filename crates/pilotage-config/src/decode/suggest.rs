//! Guesses at what was meant.

use crate::field_path::FieldPath;
use crate::schema::{MessageSchema, Shape};
use crate::yaml::{Entry, NodeKind};

/// The candidate that is most like `name`, if one is like it at all.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = normalize(name);
    // One slip in three letters, and never so many that any short name will do.
    let most = (wanted.len() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let normal = normalize(candidate);
            let distance = distance(&wanted, &normal);
            let shared = wanted.iter().zip(&normal).take_while(|(a, b)| a == b).count();
            let begins_alike = shared >= 4 && shared * 5 >= wanted.len() * 4;
            let alike = distance <= most && distance < normal.len();
            (alike || begins_alike).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Letter case, underscores and dashes are no differences worth counting.
fn normalize(name: &str) -> Vec<u8> {
    name.bytes()
        .filter(|byte| !matches!(byte, b'_' | b'-'))
        .map(|byte| byte.to_ascii_lowercase())
        .take(64)
        .collect()
}

/// The number of insertions, deletions, replacements and swaps of neighbours between two names.
fn distance(left: &[u8], right: &[u8]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    let mut previous_left = None;
    for (row, a) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        let mut previous_right = None;
        for (column, b) in right.iter().enumerate() {
            let at =
                |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&last, column) + usize::from(a != b);
            let removed = at(&last, column + 1) + 1;
            let added = at(&current, column) + 1;
            let mut best = replaced.min(removed).min(added);
            if previous_left == Some(b) && previous_right == Some(a) && column > 0 {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
            previous_right = Some(b);
        }
        previous_left = Some(a);
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

/// The path of what was written last before a field: `here`, and below it the last parts of the
/// field above. A field that slipped out of its block mostly belongs there.
pub(super) fn trail(here: &FieldPath, above: Option<&Entry>) -> String {
    const DEEPEST: usize = 8;
    let mut trail = strip_indexes(here.as_str());
    let mut entry = above;
    for _ in 0..DEEPEST {
        let Some(Entry { key, value, .. }) = entry else { break };
        trail.push('.');
        trail.push_str(key);
        let mut node = value;
        while let NodeKind::Seq(items) = &node.kind {
            let Some(last) = items.last() else { break };
            trail.push_str("[]");
            node = last;
        }
        entry = match &node.kind {
            NodeKind::Map(entries) => entries.last(),
            _ => None,
        };
    }
    trail.trim_start_matches('.').to_owned()
}

/// Where in the object a field of this name exists. Among several places the one that shares most
/// of its beginning with `trail` is taken, then the one nearest to the root.
pub(super) fn elsewhere(name: &str, root: &Shape, trail: &str) -> Option<String> {
    let mut found = Vec::new();
    if let Some(schema) = root.message() {
        search(name, schema, "", 0, &mut found);
    }
    found.into_iter().min_by_key(|place| {
        let shared =
            segments(parent(place)).zip(segments(trail)).take_while(|(a, b)| a == b).count();
        (std::cmp::Reverse(shared), segments(place).count())
    })
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('.').flat_map(|field| field.split_inclusive('[')).filter(|part| *part != "]")
}

/// The path without its last field.
fn parent(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(parent, _)| parent)
}

/// In words where a field of this path belongs.
pub(super) fn home(path: &str) -> String {
    match parent(path) {
        "" => "belongs at the top level".to_owned(),
        parent => format!("belongs under `{parent}`"),
    }
}

fn search(
    name: &str,
    schema: &'static MessageSchema,
    path: &str,
    depth: usize,
    found: &mut Vec<String>,
) {
    const DEEPEST: usize = 8;
    for field in schema.fields {
        let mut at =
            if path.is_empty() { field.name.to_owned() } else { format!("{path}.{}", field.name) };
        if field.is_called(name) {
            found.push(at.clone());
        }
        let mut shape = &field.shape;
        while let Shape::List(inner) | Shape::Map(inner) = shape {
            at.push_str("[]");
            shape = inner;
        }
        if let (Shape::Message(inner), true) = (shape, depth < DEEPEST) {
            search(name, inner, &at, depth + 1, found);
        }
    }
}

/// `spec.http[3].route` as `spec.http[].route`.
fn strip_indexes(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut inside = false;
    for character in path.chars() {
        match character {
            '[' => {
                inside = true;
                out.push('[');
            }
            ']' => {
                inside = false;
                out.push(']');
            }
            _ if inside => {}
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_recognized() {
        let known = ["destination", "weight", "headers"];
        assert_eq!(nearest("destinaton", known), Some("destination"));
        assert_eq!(nearest("Weight", known), Some("weight"));
        assert_eq!(nearest("wieght", known), Some("weight"));
        assert_eq!(nearest("header", known), Some("headers"));
        assert_eq!(nearest("retry", ["timeout", "retries"]), Some("retries"));
        assert_eq!(nearest("FROM_REQUEST", ["FROM_REQUEST_PORT"]), Some("FROM_REQUEST_PORT"));
        assert_eq!(nearest("subset", known), None);
        assert_eq!(nearest("x", ["y"]), None);
    }
}
