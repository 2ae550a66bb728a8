//! The obvious request: what conditions name most often fulfils them, and no automata are needed to see it.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

use crate::condition::{Condition, Dimension, Test};
use crate::rules::{Rule, Rules};
use crate::text::{Comparison, Text};
use crate::witness::Request;

/// A request made of what some conditions name. It need not fulfil them.
#[derive(Debug)]
pub(crate) struct Guess<'c> {
    pub(crate) request: Request,
    /// Parts that are made to match a regular expression.
    made: Vec<(&'c Dimension, &'c Text)>,
}

impl<'c> Guess<'c> {
    /// A request to `authority` that may fulfil `conditions`. `None`: there is no telling.
    pub(crate) fn of(
        conditions: impl Iterator<Item = &'c Condition>,
        authority: &str,
        scheme: &str,
    ) -> Option<Self> {
        let mut seen: Vec<(&Dimension, String, Option<&Text>)> = Vec::new();
        for condition in conditions {
            let (value, made) = match &condition.test {
                // What is not there is easily left out.
                _ if condition.inverted => match condition.dimension.may_be_absent() {
                    true => continue,
                    false => return None,
                },
                Test::Present => ("any".to_owned(), None),
                Test::Text(text) if text.comparison == Comparison::Regex => {
                    // What both sides demand is looked at once.
                    let is_same = |(part, _, made): &(&Dimension, _, Option<&Text>)| {
                        **part == condition.dimension && *made == Some(text)
                    };
                    if seen.iter().any(is_same) {
                        continue;
                    }
                    (word(&text.operand)?, Some(text))
                }
                Test::Text(text) => (text.operand.to_string(), None),
            };
            match seen.iter_mut().find(|(known, ..)| **known == condition.dimension) {
                // The longer one may well begin with the other.
                Some(known) if known.1.len() < value.len() => {
                    *known = (known.0, value, made);
                }
                Some(_) => {}
                None => seen.push((&condition.dimension, value, made)),
            }
        }
        let made = seen.iter().filter_map(|(part, _, made)| Some((*part, (*made)?))).collect();
        let values = seen.into_iter().map(|(part, value, _)| (part, value));
        Some(Self { request: request(values, authority, scheme)?, made })
    }

    /// Whether the request fulfils `condition`; `None`: that takes a regular expression.
    fn fulfils(&self, condition: &Condition) -> Option<bool> {
        let Test::Text(text) = &condition.test else { return Some(condition.holds(&self.request)) };
        let value = self.request.value(&condition.dimension);
        match value.or(condition.missing_is_empty.then_some("")) {
            Some(value) if text.comparison == Comparison::Regex => {
                let is_made = self.made.contains(&(&condition.dimension, text));
                match (is_made, value.starts_with(&*text.beginning)) {
                    (true, _) => Some(!condition.inverted),
                    (false, false) => Some(condition.inverted),
                    (false, true) => None,
                }
            }
            _ => Some(condition.holds(&self.request)),
        }
    }

    /// The number of the rule that takes the request; `None`: there is no telling.
    pub(crate) fn taker(&self, rules: &Rules<'_>) -> Option<usize> {
        for (index, rule) in rules.all.iter().enumerate() {
            if self.fits(rule)? {
                return Some(index);
            }
        }
        None
    }

    fn fits(&self, rule: &Rule<'_>) -> Option<bool> {
        let Some(conditions) = &rule.conditions else { return Some(false) };
        let mut is_certain = true;
        for condition in conditions {
            match self.fulfils(condition) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => is_certain = false,
            }
        }
        is_certain.then_some(true)
    }
}

/// The request with these parts, if it is an ordinary one that comes through as it is.
fn request<'c>(
    parts: impl Iterator<Item = (&'c Dimension, String)>,
    authority: &str,
    scheme: &str,
) -> Option<Request> {
    let mut request = Request {
        method: "GET".to_owned(),
        scheme: scheme.to_owned(),
        authority: authority.to_owned(),
        path: "/".to_owned(),
        headers: Vec::new(),
    };
    let mut query: Vec<String> = Vec::new();
    for (dimension, value) in parts {
        match dimension {
            Dimension::Path => request.path = value,
            Dimension::Header(name) => request.headers.push((name.to_string(), value)),
            Dimension::Query(name) => query.push(format!("{name}={value}")),
            Dimension::Method => request.method = value,
            Dimension::Scheme => request.scheme = value,
            Dimension::Authority => return None,
        }
    }
    if !query.is_empty() {
        request.path.push_str(&format!("?{}", query.join("&")));
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.?=&".contains(&byte);
    let path_is_plain = request.path.starts_with('/')
        && request.path.bytes().all(is_plain)
        && !request.path.contains("/.")
        && !request.path.contains("//");
    let values_are_plain =
        request.headers.iter().all(|(_, value)| value.bytes().all(|byte| byte.is_ascii_graphic()));
    let method_is_plain = request.method.bytes().all(|byte| byte.is_ascii_uppercase());
    let scheme_is_plain = ["http", "https"].contains(&&*request.scheme);
    let is_ordinary = path_is_plain && values_are_plain && method_is_plain && scheme_is_plain;
    (is_ordinary && !["", "CONNECT"].contains(&&*request.method)).then_some(request)
}

/// A text that `expression` matches, which is anchored at both ends. `None`: none is plain to see.
fn word(expression: &str) -> Option<String> {
    let hir = regex_syntax::ParserBuilder::new().utf8(false).build().parse(expression).ok()?;
    let HirKind::Concat(parts) = hir.kind() else { return None };
    let [first, parts @ .., last] = parts.as_slice() else { return None };
    let is_anchored = matches!(first.kind(), HirKind::Look(Look::Start))
        && matches!(last.kind(), HirKind::Look(Look::End));
    let mut text = Vec::new();
    parts.iter().filter(|_| is_anchored).try_for_each(|part| append(part, &mut text))?;
    is_anchored.then(|| String::from_utf8(text).ok()).flatten()
}

/// Appends a short text that `hir` matches wherever it stands.
fn append(hir: &Hir, out: &mut Vec<u8>) -> Option<()> {
    const LONGEST: usize = 2000;
    match hir.kind() {
        HirKind::Empty => {}
        HirKind::Look(_) => return None,
        HirKind::Literal(literal) => out.extend_from_slice(&literal.0),
        HirKind::Class(Class::Unicode(class)) => {
            let has = |letter: char| {
                class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&letter))
            };
            let first = class.ranges().first()?.start();
            let letter = ['a', '0', 'A'].into_iter().find(|letter| has(*letter)).unwrap_or(first);
            out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        }
        HirKind::Class(Class::Bytes(class)) => {
            let has = |byte: u8| {
                class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&byte))
            };
            let first = class.ranges().first()?.start();
            out.push(b"a0A".iter().copied().find(|byte| has(*byte)).unwrap_or(first));
        }
        HirKind::Repetition(repetition) => {
            for _ in 0..repetition.min {
                append(&repetition.sub, out)?;
                if out.len() > LONGEST || repetition.sub.properties().maximum_len() == Some(0) {
                    break;
                }
            }
        }
        HirKind::Capture(capture) => append(&capture.sub, out)?,
        HirKind::Concat(all) => all.iter().try_for_each(|one| append(one, out))?,
        HirKind::Alternation(all) => append(all.first()?, out)?,
    }
    (out.len() <= LONGEST).then_some(())
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn words_match_their_expressions() {
        for (expression, expected) in [
            (r"\A(?:/api/v[0-9]+(/.*)?)\z", Some("/api/v0")),
            (r"\A(?:(?:b|c)+x?[^a]{2})\z", Some("b00")),
            (r"\A(?:.+)\z", Some("a")),
            (r"\A(?:(?i)Ab)\z", Some("aB")),
            (r"\A(?:)\z", Some("")),
            (r"\A(?:a\b.*)\z", None),
            (r"\A(?:a{3000})\z", None),
        ] {
            let found = word(expression);
            assert_eq!(found.as_deref(), expected, "{expression}");
            let regex = regex::bytes::Regex::new(expression).unwrap();
            assert!(found.is_none_or(|word| regex.is_match(word.as_bytes())), "{expression}");
        }
    }
}
