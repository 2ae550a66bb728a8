//! YAML and JSON texts as trees of nodes that know where they were written.
//!
//! This module is the only one that knows which YAML parser is in use.

mod ahead;
mod build;
mod mistakes;
mod outline;
mod scalars;
mod value;

use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::span::{FieldSpan, Span};

pub(crate) use ahead::parse;
pub(crate) use scalars::{float, integer};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub kind: NodeKind,
    /// Where it was written. For a value that came through an alias this is the alias.
    pub span: Span,
}

/// The kinds of values.
///
/// Numbers keep their text, so that a decoder can say what was written and no precision is lost.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    /// Nothing: `null`, `~` or an empty place.
    Null,
    /// A truth value. Like Kubernetes, `yes`, `no`, `on` and `off` are truth values as well.
    Bool(bool),
    /// A whole number as written.
    Int(Box<str>),
    /// Another number as written.
    Float(Box<str>),
    /// Text.
    String(Box<str>),
    /// A list.
    Seq(Vec<Node>),
    /// A mapping, in the order written. Keys are unique.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key as text.
    pub key: Box<str>,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

impl Entry {
    /// The places of key and value.
    #[must_use]
    pub fn span(&self) -> FieldSpan {
        FieldSpan { key: self.key_span, value: self.value.span }
    }
}

impl Node {
    /// The value under `key`, if this is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry of `key`, if this is a mapping that has it.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.kind {
            NodeKind::Map(entries) => entries.iter().find(|entry| &*entry.key == key),
            _ => None,
        }
    }

    /// The text, if this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether this is nothing.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.kind, NodeKind::Null)
    }

    /// What this is, in words for a message: ``the number `5` ``, `a list`.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.kind {
            NodeKind::Null => "nothing".to_owned(),
            NodeKind::Bool(value) => format!("the truth value `{value}`"),
            NodeKind::Int(raw) | NodeKind::Float(raw) => format!("the number `{}`", shorten(raw)),
            NodeKind::String(text) => format!("the text `{}`", shorten(text)),
            NodeKind::Seq(_) => "a list".to_owned(),
            NodeKind::Map(_) => "a mapping".to_owned(),
        }
    }
}

/// The first line of a text, cut to a length that fits into a message.
pub(crate) fn shorten(text: &str) -> String {
    const LONGEST: usize = 40;
    let line = text.lines().next().unwrap_or("");
    if line.len() == text.len() && text.chars().count() <= LONGEST {
        return text.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'");
    }
    let cut: String = line.chars().take(LONGEST - 1).collect();
    format!("{}…", cut.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'"))
}

/// The longest text that is looked at, in bytes: no file that people write comes near.
pub const LONGEST_TEXT_BYTES: usize = 128 << 20;

/// Bounds on what one text may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest text, in bytes.
    pub bytes: usize,
    /// The most values in one document, those repeated by aliases counted each time.
    pub nodes: usize,
    /// The deepest nesting of lists and mappings.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: LONGEST_TEXT_BYTES, nodes: 4_000_000, depth: 64 }
    }
}

/// The documents of `text`, which is called `source` in problems. Those that could not be read are missing.
#[must_use]
pub fn documents(source: &Arc<str>, text: &str) -> (Vec<Node>, Vec<Diagnostic>) {
    let (mut nodes, mut problems) = (Vec::new(), Vec::new());
    parse(source, text, &Limits::default(), &mut |parsed| match parsed {
        Parsed::Document(document) if document.whole => nodes.push(document.node),
        Parsed::Document(_) => {}
        Parsed::Problem(problem) => problems.push(*problem),
    });
    (nodes, problems)
}

/// A document of a text.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its position among the documents of the text, from 0.
    pub(crate) index: usize,
    /// Its value, when the text could be parsed.
    pub(crate) node: Node,
    /// Whether it was read without problems. Otherwise it serves to find more of them.
    pub(crate) whole: bool,
}

/// What a consumer of documents sees, in the order of the text.
pub(crate) enum Parsed {
    /// A document that could be read.
    Document(Document),
    /// A problem; the document that it is in follows, if it can be read in part.
    Problem(Box<Diagnostic>),
}

/// A shared name of a source.
pub(crate) type SourceName = Arc<str>;

#[cfg(test)]
mod tests;
