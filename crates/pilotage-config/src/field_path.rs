//! Paths that name one field of an object, and the table that leads from a path to its place.

use std::fmt::{self, Write as _};

use crate::span::{FieldSpan, Span};

/// The path of a field, spelled as people write it: `spec.http[0].route[1].weight`.
///
/// Field names are the API's JSON names. A map key that is not a plain word is quoted in
/// brackets: `metadata.labels["app.kubernetes.io/name"]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldPath(String);

impl FieldPath {
    /// The path of the object itself.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// The path `spec`, where most rules begin.
    #[must_use]
    pub fn spec() -> Self {
        Self("spec".to_owned())
    }

    /// This path and then the field or map key `name`.
    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        let mut path = self.with_room_for(name.len() + 1);
        path.push_field(name);
        path
    }

    /// This path and then entry `index` of a list.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        let mut path = self.with_room_for(4);
        path.push_index(index);
        path
    }

    fn with_room_for(&self, more: usize) -> Self {
        let mut path = String::with_capacity(self.0.len() + more);
        path.push_str(&self.0);
        Self(path)
    }

    /// Appends a field name or map key in place.
    pub fn push_field(&mut self, name: &str) {
        if is_plain(name) {
            if !self.0.is_empty() {
                self.0.push('.');
            }
            self.0.push_str(name);
        } else {
            self.0.push_str("[\"");
            for character in name.chars() {
                if matches!(character, '"' | '\\') {
                    self.0.push('\\');
                }
                self.0.push(character);
            }
            self.0.push_str("\"]");
        }
    }

    /// Appends a list index in place.
    pub fn push_index(&mut self, index: usize) {
        // Writing to a text cannot fail.
        write!(self.0, "[{index}]").unwrap_or_default();
    }

    /// The path without its last segment, or nothing for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        parent_of(&self.0).map(|parent| Self(parent.to_owned()))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the object itself.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The length in bytes, a mark to return to with [`FieldPath::truncate`].
    pub(crate) fn mark(&self) -> usize {
        self.0.len()
    }

    /// Goes back to a mark taken earlier.
    pub(crate) fn truncate(&mut self, mark: usize) {
        self.0.truncate(mark);
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for FieldPath {
    /// Takes a path that is spelled already.
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// The text of the parent path. Quoted keys are skipped as a whole, dots and brackets inside
/// them included.
fn parent_of(path: &str) -> Option<&str> {
    if path.is_empty() {
        return None;
    }
    let mut last = 0;
    let mut bytes = path.bytes().enumerate();
    let mut quoted = false;
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' if quoted => {
                bytes.next();
            }
            b'"' => quoted = !quoted,
            b'.' | b'[' if !quoted => last = at,
            _ => {}
        }
    }
    path.get(..last)
}

/// Leads from the path of a field to its place in the source.
///
/// The paths themselves are not kept: the table holds a 64-bit hash of each, which makes it small
/// enough to keep for every object of a large mesh. Two paths of one object with equal hashes
/// would give a wrong line in a message and nothing worse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpanTable {
    entries: Box<[(u64, FieldSpan)]>,
}

impl SpanTable {
    /// The place of exactly this field.
    #[must_use]
    pub fn get(&self, path: &FieldPath) -> Option<FieldSpan> {
        self.lookup(path.as_str())
    }

    /// The place of this field, or else of its nearest ancestor that was written.
    #[must_use]
    pub fn nearest(&self, path: &FieldPath) -> Option<FieldSpan> {
        let mut rest = path.as_str();
        loop {
            if let Some(found) = self.lookup(rest) {
                return Some(found);
            }
            rest = parent_of(rest)?;
        }
    }

    /// The span to point at for this field: its key, or that of its nearest ancestor.
    #[must_use]
    pub fn key(&self, path: &FieldPath) -> Option<Span> {
        self.nearest(path).map(|found| found.key)
    }

    /// The value of this field, or the key of its nearest ancestor when the field is absent.
    #[must_use]
    pub fn value(&self, path: &FieldPath) -> Option<Span> {
        match self.get(path) {
            Some(found) if !found.value.is_empty() => Some(found.value),
            Some(found) => Some(found.key),
            None => self.key(path),
        }
    }

    /// The number of fields known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no field is known, as for objects that did not come from a text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn lookup(&self, path: &str) -> Option<FieldSpan> {
        let wanted = hash(path);
        let at = self.entries.binary_search_by_key(&wanted, |(hash, _)| *hash).ok()?;
        self.entries.get(at).map(|(_, span)| *span)
    }
}

/// Collects the places of fields while an object is decoded.
#[derive(Debug, Default)]
pub(crate) struct SpanTableBuilder {
    entries: Vec<(u64, FieldSpan)>,
}

impl SpanTableBuilder {
    /// Notes the place of `path`; the first note of a path wins.
    pub(crate) fn insert(&mut self, path: &FieldPath, span: FieldSpan) {
        self.entries.push((hash(path.as_str()), span));
    }

    /// The finished table.
    pub(crate) fn finish(mut self) -> SpanTable {
        self.entries.sort_by_key(|(hash, _)| *hash);
        self.entries.dedup_by_key(|(hash, _)| *hash);
        SpanTable { entries: self.entries.into_boxed_slice() }
    }
}

/// FNV-1a: stable over builds and processes, unlike the standard library's hasher.
fn hash(path: &str) -> u64 {
    path.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(line: u32) -> FieldSpan {
        let span = Span { start: line, end: line + 1, line, column: 1 };
        FieldSpan { key: span, value: span }
    }

    #[test]
    fn odd_map_keys_are_quoted_and_have_the_right_parent() {
        let labels = FieldPath::from("metadata").field("labels");
        let label = labels.field("app.kubernetes.io/na\"me[0]");
        assert_eq!(label.as_str(), r#"metadata.labels["app.kubernetes.io/na\"me[0]"]"#);
        assert_eq!(label.parent(), Some(labels.clone()));
        assert_eq!(labels.parent(), Some(FieldPath::from("metadata")));
        assert_eq!(FieldPath::from("metadata").parent(), Some(FieldPath::root()));
        assert_eq!(FieldPath::root().parent(), None);
    }

    #[test]
    fn an_absent_field_is_placed_at_its_nearest_ancestor() {
        let mut builder = SpanTableBuilder::default();
        builder.insert(&FieldPath::root(), span(1));
        builder.insert(&FieldPath::spec().field("http").index(0), span(7));
        let table = builder.finish();
        let absent = FieldPath::spec().field("http").index(0).field("retries").field("attempts");
        assert_eq!(table.get(&absent), None);
        assert_eq!(table.nearest(&absent), Some(span(7)));
        assert_eq!(table.nearest(&FieldPath::spec().field("tcp")), Some(span(1)));
    }
}
