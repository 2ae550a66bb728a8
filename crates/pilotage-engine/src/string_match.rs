//! Matching strings: exact, prefix, suffix, contains, or a regular expression over the whole string.

use std::fmt;

use pilotage_proto::envoy::r#type::matcher::v3::StringMatcher;
use pilotage_proto::envoy::r#type::matcher::v3::string_matcher::MatchPattern;

use crate::regular_expression::WholeMatch;
use crate::rejection::FieldError;

/// A compiled string matcher.
#[derive(Clone, Debug)]
pub struct StringMatch {
    pattern: Pattern,
    ignore_case: bool,
}

/// What a string matcher compares with.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// The whole text.
    Exact(Box<str>),
    /// Its beginning.
    Prefix(Box<str>),
    /// Its end.
    Suffix(Box<str>),
    /// Some part of it.
    Contains(Box<str>),
    /// A regular expression that fits all of it.
    Regex(Box<WholeMatch>),
}

impl StringMatch {
    /// Compiles `proto`.
    ///
    /// # Errors
    /// When it holds no pattern, or a regular expression that does not compile.
    pub fn compile(proto: &StringMatcher) -> Result<Self, FieldError> {
        let pattern = match &proto.match_pattern {
            Some(MatchPattern::Exact(s)) => Pattern::Exact(s.as_str().into()),
            Some(MatchPattern::Prefix(s)) => Pattern::Prefix(nonempty("prefix", s)?),
            Some(MatchPattern::Suffix(s)) => Pattern::Suffix(nonempty("suffix", s)?),
            Some(MatchPattern::Contains(s)) => {
                let text = nonempty("contains", s)?;
                let lower = || text.to_ascii_lowercase().into_boxed_str();
                Pattern::Contains(if proto.ignore_case { lower() } else { text })
            }
            Some(MatchPattern::SafeRegex(regex)) => {
                let compiled = WholeMatch::compile(regex).map_err(|e| e.within("safe_regex"))?;
                Pattern::Regex(Box::new(compiled))
            }
            None => return Err(FieldError::new("match_pattern", "is not set")),
        };
        Ok(Self { pattern, ignore_case: proto.ignore_case })
    }

    /// A matcher of exactly `text`.
    pub(crate) fn exact(text: &str) -> Self {
        Self { pattern: Pattern::Exact(text.into()), ignore_case: false }
    }

    /// A matcher of the given kind, for the older one-field forms of header matchers.
    pub(crate) fn of(pattern: MatchPattern) -> Result<Self, FieldError> {
        Self::compile(&StringMatcher { match_pattern: Some(pattern), ignore_case: false })
    }

    /// Whether this is an exact matcher of `text`.
    pub(crate) fn is_exactly(&self, text: &str) -> bool {
        matches!(&self.pattern, Pattern::Exact(exact) if &**exact == text)
    }

    /// The text that has to be there exactly, if that is all there is to it.
    pub(crate) fn as_exact(&self) -> Option<&str> {
        match &self.pattern {
            Pattern::Exact(exact) if !self.ignore_case => Some(exact),
            _ => None,
        }
    }

    /// What is compared with.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Whether ASCII letters of both cases are alike; regular expressions say so themselves.
    pub fn ignores_case(&self) -> bool {
        self.ignore_case
    }

    /// Whether `value` fits.
    pub fn matches(&self, value: &[u8]) -> bool {
        let fold = self.ignore_case;
        match &self.pattern {
            Pattern::Exact(s) => equal(value, s.as_bytes(), fold),
            Pattern::Prefix(s) => {
                value.get(..s.len()).is_some_and(|start| equal(start, s.as_bytes(), fold))
            }
            Pattern::Suffix(s) => value
                .len()
                .checked_sub(s.len())
                .and_then(|start| value.get(start..))
                .is_some_and(|end| equal(end, s.as_bytes(), fold)),
            Pattern::Contains(s) => {
                value.windows(s.len()).any(|window| equal(window, s.as_bytes(), fold))
            }
            Pattern::Regex(regex) => regex.matches(value),
        }
    }
}

/// In words: `exact jason`, `prefix x, any case`. A regular expression reads as it was written.
impl fmt::Display for StringMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pattern {
            Pattern::Exact(text) => write!(f, "exact {text}"),
            Pattern::Prefix(text) => write!(f, "prefix {text}"),
            Pattern::Suffix(text) => write!(f, "suffix {text}"),
            Pattern::Contains(text) => write!(f, "containing {text}"),
            Pattern::Regex(regex) => write!(f, "regex {}", regex.written()),
        }?;
        if self.ignore_case { f.write_str(", any case") } else { Ok(()) }
    }
}

fn equal(a: &[u8], b: &[u8], ignore_case: bool) -> bool {
    if ignore_case { a.eq_ignore_ascii_case(b) } else { a == b }
}

fn nonempty(field: &str, text: &str) -> Result<Box<str>, FieldError> {
    if text.is_empty() {
        return Err(FieldError::new(field, "must not be empty"));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use pilotage_proto::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
    use pilotage_proto::envoy::r#type::matcher::v3::{RegexMatcher, StringMatcher};

    use super::StringMatch;

    fn regex(pattern: &str) -> MatchPattern {
        MatchPattern::SafeRegex(RegexMatcher { regex: pattern.into(), ..Default::default() })
    }

    #[test]
    fn every_kind_matches_what_it_should() {
        for (pattern, ignore_case, value, expected) in [
            (MatchPattern::Exact("Jason".into()), false, "Jason", true),
            (MatchPattern::Exact("Jason".into()), false, "jason", false),
            (MatchPattern::Exact("Jason".into()), true, "jASON", true),
            (MatchPattern::Prefix("/a".into()), false, "/ab", true),
            (MatchPattern::Prefix("/a".into()), true, "/AB", true),
            (MatchPattern::Prefix("/a".into()), false, "/", false),
            (MatchPattern::Suffix(".x".into()), false, "a.x", true),
            (MatchPattern::Suffix(".x".into()), false, "x", false),
            (MatchPattern::Contains("b".into()), false, "abc", true),
            (MatchPattern::Contains("B".into()), true, "abc", true),
            (MatchPattern::Contains("long".into()), false, "lo", false),
            (regex("a|bc"), false, "bc", true),
            (regex("a|bc"), false, "ab", false),
            (regex("(?i)abc"), false, "ABC", true),
            (regex(r"\d+"), false, "12", true),
            (regex(r"\d+"), false, "१२", false),
            (regex(r"[\w-]+"), false, "a_b-c", true),
            (regex(r"[[:alpha:]]+"), false, "abc", true),
            (regex(r"[[]a]"), false, "[a]", true),
            (regex(r"[^]a]"), false, "b", true),
            (regex(r".*\bfoo\b.*"), false, "a foo b", true),
            (regex(r"\Qa.b\E+"), false, "a.bbb", true),
            (regex("a.c"), false, "a\nc", false),
            (regex("(.*?;)?(user=jason)(;.*)?"), false, "a=b;user=jason", true),
            (regex(".*"), false, "", true),
        ] {
            let proto = StringMatcher { match_pattern: Some(pattern.clone()), ignore_case };
            let compiled = StringMatch::compile(&proto).unwrap();
            assert_eq!(compiled.matches(value.as_bytes()), expected, "{pattern:?} on {value}");
        }
    }

    #[test]
    fn what_does_not_compile_is_an_error() {
        for pattern in ["*", "(", "a)(b", "a{100000}{100000}", ""] {
            assert!(StringMatch::of(regex(pattern)).is_err(), "{pattern}");
        }
        assert!(StringMatch::compile(&StringMatcher::default()).is_err());
    }
}
