//! What a condition compares a text with.

use std::borrow::Cow;
use std::fmt;

use pilotage_engine::regular_expression::WholeMatch;
use pilotage_engine::string_match::{Pattern, StringMatch};

use crate::budget::TooComplex;
use crate::dfa::Dfa;

/// What a text has to be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text {
    /// What is compared with.
    pub operand: Box<str>,
    /// How.
    pub comparison: Comparison,
    /// Whether ASCII letters of both cases are alike.
    pub ignore_case: bool,
    /// What every text that fits begins with, of a regular expression as far as that is plain to see.
    pub(crate) beginning: Box<str>,
}

/// How a text is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Comparison {
    /// It is the operand.
    Exact,
    /// It begins with it.
    Prefix,
    /// It is the operand, or the operand and a slash and anything.
    SeparatedPrefix,
    /// It ends with it.
    Suffix,
    /// The operand is somewhere in it.
    Contains,
    /// The operand is a regular expression, anchored at both ends, in the syntax of the `regex` crate over bytes.
    Regex,
}

impl Text {
    /// A comparison that tells letter case apart.
    pub(crate) fn new(comparison: Comparison, operand: &str) -> Self {
        let beginning = match comparison {
            Comparison::Exact | Comparison::Prefix | Comparison::SeparatedPrefix => operand.into(),
            Comparison::Suffix | Comparison::Contains | Comparison::Regex => "".into(),
        };
        Self { operand: operand.into(), comparison, ignore_case: false, beginning }
    }

    /// What `regex` matches.
    pub(crate) fn matching(regex: &WholeMatch) -> Self {
        let text = Self::new(Comparison::Regex, regex.expression());
        Self { beginning: regex.beginning().into(), ..text }
    }

    /// What `matcher` compares with.
    pub(crate) fn of(matcher: &StringMatch) -> Self {
        let (comparison, operand) = match matcher.pattern() {
            Pattern::Exact(text) => (Comparison::Exact, &**text),
            Pattern::Prefix(text) => (Comparison::Prefix, &**text),
            Pattern::Suffix(text) => (Comparison::Suffix, &**text),
            Pattern::Contains(text) => (Comparison::Contains, &**text),
            Pattern::Regex(regex) => return Self::matching(regex),
        };
        Self { ignore_case: matcher.ignores_case(), ..Self::new(comparison, operand) }
    }

    /// Whether `value` fits, found out without automata.
    pub(crate) fn fits(&self, value: &str) -> bool {
        let folded = [value, &self.operand].map(|text| match self.ignore_case {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => Cow::Borrowed(text),
        });
        let [value, operand] = &folded;
        match self.comparison {
            Comparison::Exact => value == operand,
            Comparison::Prefix => value.starts_with(&**operand),
            Comparison::SeparatedPrefix => {
                let rest = value.strip_prefix(&**operand);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Comparison::Suffix => value.ends_with(&**operand),
            Comparison::Contains => value.contains(&**operand),
            Comparison::Regex => regex::bytes::Regex::new(&self.operand)
                .is_ok_and(|regex| regex.is_match(value.as_bytes())),
        }
    }

    /// The texts that fit.
    pub(crate) fn automaton(&self) -> Result<Dfa, TooComplex> {
        let text = self.operand.as_bytes();
        let fold = if self.ignore_case { "i" } else { "" };
        let literal = || regex::escape(&self.operand);
        match self.comparison {
            Comparison::Exact => Ok(Dfa::literal(text, self.ignore_case, false)),
            Comparison::Prefix => Ok(Dfa::literal(text, self.ignore_case, true)),
            Comparison::SeparatedPrefix => {
                Dfa::of_regex(&format!(r"(?s{fold}-u)\A{}(?:/.*)?\z", bytes(&literal())))
            }
            Comparison::Suffix => {
                Dfa::of_regex(&format!(r"(?s{fold}-u)\A.*{}\z", bytes(&literal())))
            }
            Comparison::Contains => {
                Dfa::of_regex(&format!(r"(?s{fold}-u)\A.*{}.*\z", bytes(&literal())))
            }
            Comparison::Regex => Dfa::of_regex(&self.operand),
        }
    }

    /// Whether no text can fit both, as far as a look at the operands tells.
    pub(crate) fn excludes(&self, other: &Self) -> bool {
        let fold = self.ignore_case || other.ignore_case;
        let begins = |text: &str, with: &str| match text.as_bytes().get(..with.len()) {
            Some(start) if fold => start.eq_ignore_ascii_case(with.as_bytes()),
            start => start == Some(with.as_bytes()),
        };
        let (a, b) = (&*self.beginning, &*other.beginning);
        match (self.comparison, other.comparison) {
            (Comparison::Exact, Comparison::Exact) => !(a.len() == b.len() && begins(a, b)),
            (Comparison::Exact, _) => !begins(a, b),
            (_, Comparison::Exact) => !begins(b, a),
            _ => !begins(a, b) && !begins(b, a),
        }
    }

    /// The expression as written, of a regular expression.
    fn expression(&self) -> &str {
        let text = &*self.operand;
        let inner = text.strip_prefix(r"\A(?:").and_then(|text| text.strip_suffix(r")\z"));
        inner.unwrap_or(text)
    }
}

/// An escaped literal where characters beyond ASCII stand as their bytes, for expressions without Unicode.
fn bytes(escaped: &str) -> String {
    let byte = |byte: u8| match byte.is_ascii() {
        true => char::from(byte).to_string(),
        false => format!(r"\x{byte:02x}"),
    };
    escaped.bytes().map(byte).collect()
}

/// How the comparison reads behind a name: `= x`, `starting with x`.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_comparison(f, self, true)
    }
}

/// Writes a comparison, or that it fails.
pub(crate) fn write_comparison(
    f: &mut fmt::Formatter<'_>,
    text: &Text,
    holds: bool,
) -> fmt::Result {
    let not = if holds { "" } else { "not " };
    let operand = match &*text.operand {
        "" => "\"\"",
        operand if operand.contains(char::is_whitespace) => &format!("{operand:?}"),
        operand => operand,
    };
    match text.comparison {
        Comparison::Exact if holds => write!(f, "= {operand}")?,
        Comparison::Exact => write!(f, "≠ {operand}")?,
        Comparison::Prefix if operand.ends_with('/') => write!(f, "{not}under {operand}")?,
        Comparison::Prefix => write!(f, "{not}starting with {operand}")?,
        Comparison::SeparatedPrefix => write!(f, "{not}under {operand}")?,
        Comparison::Suffix => write!(f, "{not}ending in {operand}")?,
        Comparison::Contains => write!(f, "{not}containing {operand}")?,
        Comparison::Regex => write!(f, "{not}like {}", text.expression())?,
    }
    if text.ignore_case {
        f.write_str(" in any letter case")?;
    }
    Ok(())
}
