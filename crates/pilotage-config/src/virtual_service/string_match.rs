//! `StringMatch`: how to compare a text.

use crate::codes;
use crate::decode::{Decode, Decoder};
use crate::diagnostic::Diagnostic;
use crate::message::message;
use crate::schema::Shape;
use crate::yaml::Node;

/// How to compare a text. The API's oneof as an enumeration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StringMatch {
    /// Nothing was chosen (`{}`). What that means depends on the place: any value, or presence.
    #[default]
    Unset,
    /// The whole text.
    Exact(String),
    /// The beginning, byte by byte.
    Prefix(String),
    /// A regular expression (RE2) for the whole text.
    Regex(String),
}

impl StringMatch {
    /// The text to compare with, if there is one.
    #[must_use]
    pub fn pattern(&self) -> Option<&str> {
        match self {
            Self::Unset => None,
            Self::Exact(text) | Self::Prefix(text) | Self::Regex(text) => Some(text),
        }
    }
}

message! {
    /// The alternatives as the API spells them.
    pub struct StringMatchFields as "StringMatch" {
        /// The whole text.
        pub exact: Option<String>,
        /// The beginning.
        pub prefix: Option<String>,
        /// A regular expression.
        pub regex: Option<String>,
    }
    one of [exact, prefix, regex]
}

impl Decode for StringMatch {
    const SHAPE: Shape = StringMatchFields::SHAPE;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        if let Some(text) = node.as_str() {
            let path = decoder.path().clone();
            let message =
                format!("`{path}` needs a kind of comparison: `exact`, `prefix` or `regex`");
            decoder.report(Diagnostic::new(codes::IST0106, message).at(
                decoder.source(),
                node.span,
                format!("write {{exact: \"{text}\"}}"),
            ));
            return None;
        }
        let fields = StringMatchFields::decode(node, decoder)?;
        Some(match (fields.exact, fields.prefix, fields.regex) {
            (Some(text), _, _) => Self::Exact(text),
            (None, Some(text), _) => Self::Prefix(text),
            (None, None, Some(text)) => Self::Regex(text),
            (None, None, None) => Self::Unset,
        })
    }
}
