//! Regular expressions, read as RE2 reads them.

use std::sync::OnceLock;

use pilotage_proto::envoy::r#type::matcher::v3::RegexMatcher;
use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ast::parse::ParserBuilder;

use crate::rejection::FieldError;

/// Largest compiled size of one regular expression, in bytes. Envoy allows more than any sane pattern needs; this
/// bounds what one route can cost.
const MAX_REGEX_BYTES: usize = 8 << 20;
/// A pattern up to this long, in bytes, is small when nothing in it is large for its length.
const SMALL_PATTERN: usize = 1024;

/// Levels that an expression may be nested, which is what the `regex` crate allows.
const MOST_LEVELS: u32 = 250;

/// A regular expression that has to match a whole text, as RE2's FullMatch does.
///
/// It is checked at once and made ready with the first text that may fit: a table holds thousands, of which requests
/// meet a few, and each takes as much time and memory as a hundred other conditions.
#[derive(Clone, Debug)]
pub struct WholeMatch {
    written: Box<str>,
    expression: Box<str>,
    /// Length of what is written there that all texts that fit begin with.
    beginning: usize,
    /// Nothing, if it turned out to be too large after all.
    ready: OnceLock<Option<Regex>>,
}

impl WholeMatch {
    /// Checks `proto`, and compiles it where only that tells whether it is too large.
    ///
    /// # Errors
    /// When it is empty, no regular expression, or too large.
    pub(crate) fn compile(proto: &RegexMatcher) -> Result<Self, FieldError> {
        let written = proto.regex.as_str();
        let inner = ascii_classes(written);
        let expression = format!(r"\A(?:{inner})\z");
        let ready = if is_small(written) && is_valid(&inner) {
            OnceLock::new()
        } else {
            // A pattern such as `a)(b` must not become valid by being wrapped.
            build(written, &inner)?;
            OnceLock::from(Some(build(written, &expression)?))
        };
        let beginning = beginning(written).len();
        Ok(Self { written: written.into(), expression: expression.into(), beginning, ready })
    }

    /// Whether all of `value` matches.
    pub fn matches(&self, value: &[u8]) -> bool {
        value.starts_with(self.beginning().as_bytes())
            && self
                .ready
                .get_or_init(|| build(&self.written, &self.expression).ok())
                .as_ref()
                .is_some_and(|regex| regex.is_match(value))
    }

    /// The expression as written.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// The same in the syntax of the `regex` crate, anchored at both ends: `\A(?:…)\z`.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// What every text that matches begins with, as far as that is plain to see.
    pub fn beginning(&self) -> &str {
        self.written.get(..self.beginning).unwrap_or_default()
    }
}

/// Compiles `proto` to be searched for.
pub(crate) fn search(proto: &RegexMatcher) -> Result<Regex, FieldError> {
    build(&proto.regex, &ascii_classes(&proto.regex))
}

/// Compiles `expression`, which was made of what is `written`.
fn build(written: &str, expression: &str) -> Result<Regex, FieldError> {
    if written.is_empty() {
        return Err(FieldError::new("regex", "must not be empty"));
    }
    RegexBuilder::new(expression)
        .size_limit(MAX_REGEX_BYTES)
        .build()
        .map_err(|error| FieldError::new("regex", format!("`{written}`: {error}")))
}

/// Whether `pattern` certainly stays below [`MAX_REGEX_BYTES`] when it is compiled, if it can be compiled at all: large
/// for their length are counted repetitions, classes of Unicode, and what ignores the case of letters.
fn is_small(pattern: &str) -> bool {
    let large = pattern.contains('{') || pattern.contains("(?") || pattern.contains("\\p");
    !large && !pattern.contains("\\P") && (1..=SMALL_PATTERN).contains(&pattern.len())
}

/// Whether the `regex` crate can compile `expression`, which is small: that sets no flags and names no class of Unicode,
/// and then to be well-formed is enough. It stands in a group between anchors, which is one level more.
fn is_valid(expression: &str) -> bool {
    ParserBuilder::new().nest_limit(MOST_LEVELS - 1).build().parse(expression).is_ok()
}

/// The characters that `pattern` begins with, up to the first that may be something else.
fn beginning(pattern: &str) -> &str {
    // With alternatives, what stands first need not come first.
    if pattern.contains('|') || pattern.contains("(?") {
        return "";
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '=' | ':');
    let end = pattern.find(|c| !plain(c)).unwrap_or(pattern.len());
    let found = pattern.get(..end).unwrap_or_default();
    match pattern.get(end..).and_then(|rest| rest.chars().next()) {
        // The last character may be missing.
        Some('?' | '*' | '{') => found.get(..found.len().saturating_sub(1)).unwrap_or_default(),
        _ => found,
    }
}

/// `pattern` with the Perl classes and word boundaries replaced by their ASCII forms, which is what RE2 means by them:
/// it works on UTF-8 as the `regex` crate does, but reads `\d`, `\w`, `\s`, `\b` as ASCII.
fn ascii_classes(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut in_class = false;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(class @ ('d' | 'D' | 'w' | 'W' | 's' | 'S')) => {
                    let (name, negated) = match class {
                        'd' => ("0-9", false),
                        'D' => ("0-9", true),
                        'w' => ("0-9A-Za-z_", false),
                        'W' => ("0-9A-Za-z_", true),
                        's' => (r"\t\n\f\r ", false),
                        _ => (r"\t\n\f\r ", true),
                    };
                    let open = if negated { "[^" } else { "[" };
                    out.push_str(open);
                    out.push_str(name);
                    out.push(']');
                }
                Some(edge @ ('b' | 'B')) if !in_class => {
                    out.push_str(&format!(r"(?-u:\{edge})"));
                }
                Some('Q') => {
                    // RE2 quotes up to \E.
                    let rest: String = chars.clone().collect();
                    let quoted = rest.split(r"\E").next().unwrap_or(&rest).to_owned();
                    out.push_str(&regex::escape(&quoted));
                    let skip = quoted.chars().count() + 2;
                    for _ in 0..skip {
                        chars.next();
                    }
                }
                Some('C') => out.push_str("(?s-u:.)"),
                Some('Z') => out.push_str(r"\z"),
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => out.push('\\'),
            },
            '[' => {
                // A bracket inside a class is a literal in RE2, unless it begins a POSIX class.
                let posix = in_class && chars.clone().next() == Some(':');
                if in_class && !posix {
                    out.push_str(r"\[");
                    continue;
                }
                out.push('[');
                if posix {
                    for c in chars.by_ref() {
                        out.push(c);
                        if c == ']' {
                            break;
                        }
                    }
                } else {
                    in_class = true;
                    class_start(&mut chars, &mut out);
                }
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                // Doubled, these would be set operations.
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

/// Copies what may follow `[` with a special meaning: `^`, and a `]` that is then a literal.
fn class_start(chars: &mut std::str::Chars<'_>, out: &mut String) {
    if chars.clone().next() == Some('^') {
        out.push('^');
        chars.next();
    }
    if chars.clone().next() == Some(']') {
        out.push_str(r"\]");
        chars.next();
    }
}

#[cfg(test)]
mod tests {
    use pilotage_proto::envoy::r#type::matcher::v3::RegexMatcher;

    use super::{SMALL_PATTERN, WholeMatch, beginning, is_small};

    fn compiled(pattern: &str) -> WholeMatch {
        let proto = RegexMatcher { regex: pattern.into(), ..RegexMatcher::default() };
        WholeMatch::compile(&proto).unwrap_or_else(|error| panic!("{pattern}: {error:?}"))
    }

    #[test]
    fn small_patterns_compile_when_they_are_needed() {
        for unit in ["a", ".", "[^a]", "\\W", "\\S*", "(a|b)", "é+", "[à-ÿ]?", "[^à-ÿ]"] {
            let pattern = unit.repeat(SMALL_PATTERN / unit.len());
            assert!(is_small(&pattern), "{unit}");
            let regex = compiled(&pattern);
            regex.matches(b"a");
            assert!(matches!(regex.ready.get(), Some(Some(_)) | None), "{unit}");
        }
    }

    #[test]
    fn what_may_be_large_is_compiled_at_once() {
        for pattern in ["a{3}", r"\pL", "(?i)a", &"a".repeat(SMALL_PATTERN + 1)] {
            assert!(compiled(pattern).ready.get().is_some(), "{pattern}");
        }
        assert!(compiled("/a/[0-9]+").ready.get().is_none());
    }

    #[test]
    fn the_beginning_of_a_pattern_is_what_all_its_texts_begin_with() {
        for (pattern, expected) in [
            ("/api/v[0-9]+", "/api/v"),
            ("/ab?c", "/a"),
            ("/ab*", "/a"),
            ("/a|/b", ""),
            ("(?i)/a", ""),
            (".*", ""),
            ("/a+", "/a"),
            ("/a", "/a"),
        ] {
            assert_eq!(beginning(pattern), expected, "{pattern}");
        }
    }
}
