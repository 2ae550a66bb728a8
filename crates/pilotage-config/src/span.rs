//! Places in a source text.

/// A range of bytes in one source text, with the line and column of its start.
///
/// Columns count characters, not bytes, as editors do. Texts above 4 GiB are refused before
/// parsing, so 32 bits suffice for every offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Byte offset of the first byte.
    pub start: u32,
    /// Byte offset just after the last byte.
    pub end: u32,
    /// Line of the first byte, counted from 1. 0 when nothing is known.
    pub line: u32,
    /// Column of the first byte in characters, counted from 1. 0 when nothing is known.
    pub column: u32,
}

impl Span {
    /// The number of bytes covered.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.end.saturating_sub(self.start)
    }

    /// Whether no byte is covered, as for a value that is left out (`key:`).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end <= self.start
    }

    /// Whether this is a place at all, and not a source as a whole.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.line > 0
    }

    /// The text covered, or an empty string when the span does not belong to `source`.
    #[must_use]
    pub fn slice<'a>(&self, source: &'a str) -> &'a str {
        source.get(self.start as usize..self.end as usize).unwrap_or("")
    }
}

/// Where a field stands: its key and its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldSpan {
    /// The key, or the whole item for an entry of a list.
    pub key: Span,
    /// The value.
    pub value: Span,
}
