//! From nodes to typed values.
//!
//! Decoding never stops at the first problem. What cannot be decoded becomes a diagnostic and the
//! field keeps its default; the caller learns from [`Decoder::failed`] that the object must not
//! be used.

mod collections;
mod numbers;
mod suggest;
mod text;

pub use collections::MapKey;
pub use suggest::nearest;
pub use text::Bytes;

use std::sync::Arc;

use crate::codes;
use crate::diagnostic::{Diagnostic, ObjectRef, Severity};
use crate::field_path::{FieldPath, SpanTable, SpanTableBuilder};
use crate::schema::{EnumSchema, FieldInfo, MessageSchema, Shape};
use crate::span::FieldSpan;
use crate::yaml::{Entry, Node, NodeKind};

/// A value that can be read from a node.
pub trait Decode: Sized {
    /// What it looks like.
    const SHAPE: Shape;

    /// Reads it. `None` after a problem was reported.
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self>;

    /// The value that stands for an explicit `null` in a list or map, if there is one.
    fn from_null() -> Option<Self> {
        None
    }
}

/// What to do about fields that the schema does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownFields {
    /// Report them, as bad as this: a typing mistake must not be ignored silently.
    Report(Severity),
    /// Skip them: only a part of the kind is modelled.
    Skip,
}

/// Where decoding stands: path, places seen, problems found.
#[derive(Debug)]
pub struct Decoder<'a> {
    source: &'a Arc<str>,
    unknown_fields: UnknownFields,
    /// The shape of the whole object, in which misplaced fields are looked for.
    root: Shape,
    path: FieldPath,
    spans: SpanTableBuilder,
    problems: Vec<Diagnostic>,
    /// Problems beyond [`MOST_PROBLEMS`].
    untold: usize,
    failed: bool,
    secret: bool,
}

/// The most problems that are told of one object. Whoever has more needs to look at the whole.
const MOST_PROBLEMS: usize = 100;

impl<'a> Decoder<'a> {
    /// A decoder for one object whose fields are those of `root`.
    #[must_use]
    pub fn new(source: &'a Arc<str>, unknown_fields: UnknownFields, root: Shape) -> Self {
        Self {
            source,
            unknown_fields,
            root,
            path: FieldPath::root(),
            spans: SpanTableBuilder::default(),
            problems: Vec::new(),
            untold: 0,
            failed: false,
            secret: false,
        }
    }

    /// Marks the object as one whose text must not be shown.
    pub(crate) fn keep_secret(&mut self) {
        self.secret = true;
    }

    /// From here on, skips fields that are not modelled.
    pub(crate) fn skip_unknown_fields(&mut self) {
        self.unknown_fields = UnknownFields::Skip;
    }

    /// The name of the source.
    #[must_use]
    pub fn source(&self) -> &'a Arc<str> {
        self.source
    }

    /// Whether an error was found, so that the object must not be used.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// The path of the value in hand.
    #[must_use]
    pub fn path(&self) -> &FieldPath {
        &self.path
    }

    /// The places of all fields seen and the problems found, each naming `object`.
    #[must_use]
    pub fn finish(self, object: Option<&ObjectRef>) -> (SpanTable, Vec<Diagnostic>) {
        let mut problems = self.problems;
        if let (Some(last), 1..) = (problems.last_mut(), self.untold) {
            last.notes.push(format!("{} more problems with this object are not told", self.untold));
        }
        for problem in &mut problems {
            problem.object = object.cloned();
        }
        (self.spans.finish(), problems)
    }

    /// Notes the place of the value in hand.
    pub fn note_place(&mut self, span: FieldSpan) {
        self.spans.insert(&self.path, span);
    }

    /// Notes a problem with the value in hand.
    pub fn report(&mut self, mut problem: Diagnostic) {
        self.failed |= problem.is_error();
        if self.problems.len() >= MOST_PROBLEMS {
            self.untold += 1;
            return;
        }
        if problem.path.is_none() {
            problem.path = Some(self.path.clone());
        }
        if self.secret {
            for label in problem.primary.iter_mut().chain(&mut problem.secondary) {
                label.hidden = true;
            }
        }
        self.problems.push(problem);
    }

    /// Reports a value that is not what the field holds.
    pub fn wrong_type(&mut self, node: &Node, expected: &str) {
        if let Some(problem) = self.misplaced_fields(node) {
            self.report(problem);
            return;
        }
        let found = if self.secret { kind_only(node).to_owned() } else { node.describe() };
        let mut problem = Diagnostic::new(
            codes::IST0106,
            format!("`{}` has to be {expected}, and this is {found}", self.path),
        )
        .at(
            self.source,
            node.span,
            format!("expected {}", expected.split(" with ").next().unwrap_or(expected)),
        );
        if expected == "text" {
            problem.help = match node.kind {
                NodeKind::Bool(_) => Some(
                    "put it in quotes; for Kubernetes yes, no, on, off, y and n are truth values too"
                        .to_owned(),
                ),
                NodeKind::Int(_) | NodeKind::Float(_) => {
                    Some("put it in quotes, so that YAML takes it for text".to_owned())
                }
                _ => None,
            };
        }
        self.report(problem);
    }

    /// A mapping where something else has to be, and whose first field is known elsewhere.
    fn misplaced_fields(&self, node: &Node) -> Option<Diagnostic> {
        let NodeKind::Map(entries) = &node.kind else { return None };
        let entry = entries.first()?;
        let place = suggest::elsewhere(&entry.key, &self.root, &suggest::trail(&self.path, None))?;
        Some(
            Diagnostic::new(
                codes::PIL0009,
                format!("`{}` does not belong under `{}`", entry.key, self.path),
            )
            .at(self.source, entry.key_span, suggest::home(&place))
            .help(format!("its path is `{place}`; correct the indentation")),
        )
    }

    /// Reports a value of the right type that cannot be.
    pub fn invalid(&mut self, node: &Node, message: String, label: &str) {
        let problem = Diagnostic::new(codes::IST0106, message).at(self.source, node.span, label);
        self.report(problem);
    }

    /// Begins to read the fields of a message.
    pub fn fields<'n>(
        &mut self,
        node: &'n Node,
        schema: &'static MessageSchema,
    ) -> Option<Fields<'n>> {
        match &node.kind {
            NodeKind::Map(entries) => {
                Some(Fields { entries: entries.iter(), above: None, schema, seen: 0 })
            }
            _ => {
                let expected = Shape::Message(schema).describe();
                self.wrong_type(node, &format!("a mapping with {expected}"));
                None
            }
        }
    }

    /// Reads a field into its place. An explicit null is the same as an absent field.
    pub fn set<T: Decode>(&mut self, field: &'static FieldInfo, entry: &Entry, place: &mut T) {
        let mark = self.path.mark();
        self.path.push_field(field.name);
        self.spans.insert(&self.path, entry.span());
        if !entry.value.is_null()
            && let Some(value) = T::decode(&entry.value, self)
        {
            *place = value;
        }
        self.path.truncate(mark);
    }

    /// Reports fields that exclude each other.
    pub fn at_most_one(&mut self, node: &Node, choices: &[(&'static str, bool)]) {
        let set: Vec<&str> =
            choices.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name).collect();
        let [first, second, ..] = set.as_slice() else { return };
        let message =
            format!("`{}` can have only one of {}", self.path, quoted(set.iter().copied()));
        let place = |name: &str| node.entry(name).map_or(node.span, |entry| entry.key_span);
        let problem = Diagnostic::new(codes::IST0106, message)
            .at(self.source, place(second), "this one")
            .also_at(self.source, place(first), "or this one");
        self.report(problem);
    }

    /// The number of an enumeration's value, given by name or number.
    pub fn enum_number(&mut self, node: &Node, schema: &'static EnumSchema) -> Option<i32> {
        let number = match &node.kind {
            NodeKind::String(name) => {
                schema.values.iter().find(|(known, _)| *known == &**name).map(|(_, number)| *number)
            }
            // A name such as `ON` is a truth value for YAML.
            NodeKind::Int(raw) => crate::yaml::integer(raw)
                .and_then(|value| i32::try_from(value).ok())
                .filter(|value| schema.values.iter().any(|(_, number)| number == value)),
            _ => None,
        };
        if number.is_none() {
            let message = format!(
                "`{}` has to be {}, and this is {}",
                self.path,
                Shape::Enum(schema).describe(),
                node.describe()
            );
            let label = match node.as_str().and_then(|name| suggest::nearest(name, schema.names()))
            {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("not a value of {}", schema.name),
            };
            self.invalid(node, message, &label);
        }
        number
    }

    /// Reports a field that the message does not have.
    fn unknown_field(
        &mut self,
        entry: &Entry,
        above: Option<&Entry>,
        schema: &'static MessageSchema,
    ) {
        let UnknownFields::Report(severity) = self.unknown_fields else { return };
        if self.problems.len() >= MOST_PROBLEMS {
            // Guessing at what was meant takes time.
            self.failed |= severity == Severity::Error;
            self.untold += 1;
            return;
        }
        let path = self.path.field(&entry.key);
        let mut problem =
            Diagnostic::new(codes::IST0106, format!("unknown field `{path}`")).on_field(path);
        let label = if let Some(name) =
            suggest::nearest(&entry.key, schema.fields.iter().map(|field| field.name))
        {
            format!("did you mean `{name}`?")
        } else if let Some(place) =
            suggest::elsewhere(&entry.key, &self.root, &suggest::trail(&self.path, above))
        {
            problem.code = codes::PIL0009;
            problem.message =
                format!("`{}` does not belong {}", entry.key, display_path(&self.path));
            problem = problem.help(format!("its path is `{place}`; correct the indentation"));
            suggest::home(&place)
        } else {
            format!("{} has no such field", schema.name)
        };
        if problem.help.is_none() && schema.fields.len() <= 20 && !label.starts_with("did") {
            let known = quoted(schema.fields.iter().map(|field| field.name));
            problem = problem.help(format!("known here: {known}"));
        }
        let problem = problem.at(self.source, entry.key_span, label).with_severity(severity);
        self.report(problem);
    }

    fn repeated_field(&mut self, entry: &Entry, field: &'static FieldInfo) {
        let problem = Diagnostic::new(
            codes::PIL0004,
            format!("`{}` is given twice, in two spellings", self.path.field(field.name)),
        )
        .at(self.source, entry.key_span, "the second one")
        .help(format!("keep the usual spelling, `{}`", field.name));
        self.report(problem);
    }
}

/// The fields of a message that were written, unknown ones being reported on the way.
#[derive(Debug)]
pub struct Fields<'n> {
    entries: std::slice::Iter<'n, Entry>,
    above: Option<&'n Entry>,
    schema: &'static MessageSchema,
    seen: u128,
}

impl<'n> Fields<'n> {
    /// The next known field and what was written for it.
    pub fn next(&mut self, decoder: &mut Decoder<'_>) -> Option<(&'static FieldInfo, &'n Entry)> {
        for entry in self.entries.by_ref() {
            let above = self.above.replace(entry);
            let known = self
                .schema
                .fields
                .iter()
                .enumerate()
                .find(|(_, field)| field.is_called(&entry.key));
            let Some((position, field)) = known else {
                decoder.unknown_field(entry, above, self.schema);
                continue;
            };
            let bit = 1_u128.checked_shl(u32::try_from(position).unwrap_or(u32::MAX)).unwrap_or(0);
            if self.seen & bit != 0 {
                decoder.repeated_field(entry, field);
                continue;
            }
            self.seen |= bit;
            return Some((field, entry));
        }
        None
    }
}

fn display_path(path: &FieldPath) -> String {
    if path.is_root() { "at the top level".to_owned() } else { format!("under `{path}`") }
}

fn kind_only(node: &Node) -> &'static str {
    match node.kind {
        NodeKind::Null => "nothing",
        NodeKind::Bool(_) => "a truth value",
        NodeKind::Int(_) | NodeKind::Float(_) => "a number",
        NodeKind::String(_) => "text",
        NodeKind::Seq(_) => "a list",
        NodeKind::Map(_) => "a mapping",
    }
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
