//! From the parser's events to trees of nodes, one document at a time.

use std::collections::{BTreeMap, BTreeSet};

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput, Tag, options};

use super::{Document, Entry, Limits, Node, NodeKind, Parsed, SourceName, mistakes, scalars};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// Parses `text` and hands every document and every problem to `sink`, in order, one at a time.
pub(super) fn parse(
    source: &SourceName,
    text: &str,
    limits: &Limits,
    sink: &mut dyn FnMut(Parsed),
) {
    if text.len() > limits.bytes.min(u32::MAX as usize) {
        let message = format!(
            "{source} has {} bytes; a source may have at most {}",
            text.len(),
            limits.bytes
        );
        let problem = Diagnostic::new(codes::PIL0002, message)
            .with_source(source)
            .help("split it into several files");
        sink(Parsed::Problem(Box::new(problem)));
        return;
    }
    let mut parser = Parser::new_from_str_with_options(text, settings(limits));
    let mut index = 0;
    loop {
        let mut builder = Builder::new(source, text, limits);
        let outcome = builder.document(&mut parser);
        let mut problems = std::mem::take(&mut builder.problems);
        let node = match outcome {
            Outcome::End => return,
            Outcome::Document(node) => Some(node),
            Outcome::TooLarge => None,
            Outcome::Failed(error) => {
                // What a `*` that is no alias does to the rest of the line is its consequence.
                if problems.is_empty() {
                    problems.push(mistakes::explain(source, text, &error, limits));
                }
                second_look(source, text, limits, index, &mut problems)
            }
        };
        let whole = problems.is_empty();
        for problem in problems {
            sink(Parsed::Problem(Box::new(problem)));
        }
        if let Some(node) = node {
            sink(Parsed::Document(Document { index, node, whole }));
        }
        index += 1;
        match parser.proceed_next_document() {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                let problem = mistakes::explain(source, text, &error, limits);
                sink(Parsed::Problem(Box::new(problem)));
                return;
            }
        }
    }
}

fn settings(limits: &Limits) -> granit_parser::Options {
    let mut settings = options! {
        emit_unresolved_aliases: true,
        flow_nesting_limit: limits.depth,
        block_nesting_limit: limits.depth,
    };
    settings.set_emit_comments(false);
    settings
}

/// Reads a document again with each `*` that is no alias replaced, so that one mistake does not
/// hide all others. Gives the document, if it can be read then; it is not the one that was
/// written and must not be used.
fn second_look(
    source: &SourceName,
    text: &str,
    limits: &Limits,
    index: usize,
    problems: &mut Vec<Diagnostic>,
) -> Option<Node> {
    const LONGEST: usize = 1 << 20;
    const MOST: usize = 16;
    if text.len() > LONGEST || index > 64 {
        return None;
    }
    let mut mended = text.to_owned();
    for _ in 0..MOST {
        let stars: Vec<usize> = problems
            .iter()
            .filter(|problem| problem.code == codes::PIL0007)
            .filter_map(|problem| problem.primary.as_ref())
            .map(|label| label.span.start as usize)
            .filter(|at| mended.get(*at..at + 1) == Some("*"))
            .collect();
        if stars.is_empty() {
            return None;
        }
        for at in stars {
            mended.replace_range(at..=at, "x");
        }
        let mut parser = Parser::new_from_str_with_options(&mended, settings(limits));
        for _ in 0..index {
            parser.proceed_next_document().ok()?;
        }
        let mut builder = Builder::new(source, &mended, limits);
        let outcome = builder.document(&mut parser);
        problems.append(&mut builder.problems);
        match outcome {
            Outcome::Document(node) => return Some(node),
            Outcome::TooLarge | Outcome::End => return None,
            Outcome::Failed(error) => {
                let problem = mistakes::explain(source, &mended, &error, limits);
                let again = problem.code == codes::PIL0007;
                problems.push(problem);
                if !again {
                    return None;
                }
            }
        }
    }
    None
}

/// What became of a document.
enum Outcome {
    /// It was read to its end, though perhaps with problems, which were noted.
    Document(Node),
    /// It exceeds the limits, which was noted.
    TooLarge,
    /// The parser cannot read it.
    Failed(ScanError),
    /// There is none.
    End,
}

/// An open list or mapping.
struct Frame {
    content: Content,
    span: Span,
    anchor: usize,
    /// Nodes built before this one.
    nodes_before: usize,
    /// Levels of nesting below this one so far.
    height: usize,
}

enum Content {
    Seq(Vec<Node>),
    Map(Vec<Entry>, Option<(Box<str>, Span)>),
}

/// A finished value that aliases may repeat, and what a copy costs.
struct Anchored {
    node: Node,
    size: usize,
    height: usize,
}

struct Builder<'a> {
    source: &'a SourceName,
    text: &'a str,
    limits: &'a Limits,
    problems: Vec<Diagnostic>,
    frames: Vec<Frame>,
    anchors: BTreeMap<usize, Anchored>,
    /// Nodes built so far, copies for anchors and aliases included.
    nodes: usize,
    root: Option<Node>,
}

/// Whether to go on with the document.
enum Step {
    Continue,
    Finished,
    TooLarge,
}

impl<'a> Builder<'a> {
    fn new(source: &'a SourceName, text: &'a str, limits: &'a Limits) -> Self {
        Self {
            source,
            text,
            limits,
            problems: Vec::new(),
            frames: Vec::new(),
            anchors: BTreeMap::new(),
            nodes: 0,
            root: None,
        }
    }

    /// Reads one document from the parser.
    fn document<'i>(&mut self, parser: &mut Parser<'i, StrInput<'i>>) -> Outcome {
        loop {
            let (event, span) = match parser.next_event() {
                None => return Outcome::End,
                Some(Ok(next)) => next,
                Some(Err(error)) => return Outcome::Failed(error),
            };
            if matches!(event, Event::StreamEnd) {
                return Outcome::End;
            }
            match self.event(event, to_span(&span.start, &span.end)) {
                Step::Continue => {}
                Step::TooLarge => {
                    self.too_large(to_span(&span.start, &span.end));
                    return Outcome::TooLarge;
                }
                Step::Finished => {
                    let nothing = Node { kind: NodeKind::Null, span: Span::default() };
                    return Outcome::Document(self.root.take().unwrap_or(nothing));
                }
            }
        }
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Step {
        match event {
            Event::DocumentEnd => Step::Finished,
            Event::Scalar(value, style, anchor, tag) => {
                let kind = scalar(&value, style, tag.as_deref());
                self.nodes += 1;
                self.finished(Node { kind, span }, anchor, 1, 0)
            }
            Event::SequenceStart(_, anchor, _) => self.open(Content::Seq(Vec::new()), span, anchor),
            Event::MappingStart(_, anchor, _) => {
                self.open(Content::Map(Vec::new(), None), span, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(id) => self.alias(id, span),
            Event::UnresolvedAlias(name) => {
                let problem = mistakes::not_an_alias(self.source, self.text, &name, span);
                self.problems.push(problem);
                let kind = NodeKind::String(format!("*{name}").into());
                self.finished(Node { kind, span }, 0, 1, 0)
            }
            // The rest is no content: the start of a document, and whatever else the parser may
            // say about the presentation.
            _ => Step::Continue,
        }
    }

    fn open(&mut self, content: Content, span: Span, anchor: usize) -> Step {
        let nodes_before = self.nodes;
        self.nodes += 1;
        self.frames.push(Frame { content, span, anchor, nodes_before, height: 0 });
        if self.frames.len() > self.limits.depth { Step::TooLarge } else { Step::Continue }
    }

    /// Puts a finished value of `size` nodes and `height` levels where it belongs.
    fn finished(&mut self, node: Node, anchor: usize, size: usize, height: usize) -> Step {
        if anchor != 0 {
            self.nodes += size;
        }
        if self.nodes > self.limits.nodes {
            return Step::TooLarge;
        }
        if anchor != 0 {
            self.anchors.insert(anchor, Anchored { node: node.clone(), size, height });
        }
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return Step::Continue;
        };
        frame.height = frame.height.max(height + 1);
        match &mut frame.content {
            Content::Seq(items) => items.push(node),
            Content::Map(entries, key) => match key.take() {
                Some((name, key_span)) => entries.push(Entry { key: name, key_span, value: node }),
                None => {
                    let span = node.span;
                    let text = key_text(node, self.text).unwrap_or_else(|node| {
                        self.problems.push(mistakes::complex_key(self.source, self.text, &node));
                        "".into()
                    });
                    *key = Some((text, span));
                }
            },
        }
        Step::Continue
    }

    /// Finishes the innermost list or mapping.
    fn close(&mut self, end: Span) -> Step {
        let Some(frame) = self.frames.pop() else { return Step::Continue };
        let kind = match frame.content {
            Content::Seq(items) => NodeKind::Seq(items),
            Content::Map(mut entries, _) => {
                self.drop_duplicates(&mut entries);
                merge(&mut entries);
                NodeKind::Map(entries)
            }
        };
        let mut span = frame.span;
        span.end = end.end.max(span.end);
        // A block ends where the next thing begins; the blank space between is not part of it.
        let covered = span.slice(self.text).trim_end().len();
        span.end = span.start + u32::try_from(covered).unwrap_or(0);
        let size = self.nodes - frame.nodes_before;
        self.finished(Node { kind, span }, frame.anchor, size, frame.height)
    }

    /// Repeats the value of an anchor.
    fn alias(&mut self, id: usize, span: Span) -> Step {
        let Some(anchored) = self.anchors.get(&id) else {
            // The anchor's own value is still open: the alias would contain itself.
            self.problems.push(mistakes::circular_alias(self.source, self.text, span));
            self.nodes += 1;
            return self.finished(Node { kind: NodeKind::Null, span }, 0, 1, 0);
        };
        let (size, height) = (anchored.size, anchored.height);
        if self.nodes + size > self.limits.nodes || self.frames.len() + height > self.limits.depth {
            return Step::TooLarge;
        }
        let mut node = anchored.node.clone();
        node.span = span;
        self.nodes += size;
        self.finished(node, 0, size, height)
    }

    /// Reports keys that stand twice, and keeps the first of them.
    fn drop_duplicates(&mut self, entries: &mut Vec<Entry>) {
        if entries.len() < 2 {
            return;
        }
        let mut sorted: Vec<&Entry> = entries.iter().filter(|entry| &*entry.key != "<<").collect();
        sorted.sort_by_key(|entry| (&entry.key, entry.key_span.start));
        let mut again = BTreeSet::new();
        let mut first: Option<&Entry> = None;
        for entry in sorted {
            match first {
                Some(other) if other.key == entry.key => {
                    self.problems.push(mistakes::duplicate_key(self.source, other, entry));
                    again.insert(entry.key_span);
                }
                _ => first = Some(entry),
            }
        }
        if !again.is_empty() {
            entries.retain(|entry| !again.contains(&entry.key_span));
        }
    }

    fn too_large(&mut self, span: Span) {
        let Limits { nodes, depth, .. } = *self.limits;
        let message = format!(
            "the document is too large: at most {nodes} values, nested at most {depth} levels deep"
        );
        let mut problem = Diagnostic::new(codes::PIL0002, message).at(
            self.source,
            Span { end: span.start, ..span },
            "read up to here",
        );
        if !self.anchors.is_empty() {
            problem = problem.note("values repeated by aliases count each time");
        }
        self.problems.push(problem);
    }
}

/// The value of a scalar, its tag considered.
fn scalar(value: &str, style: ScalarStyle, tag: Option<&Tag>) -> NodeKind {
    let plain = style == ScalarStyle::Plain;
    match tag {
        Some(tag) if tag.is_yaml_core_schema_tag("str") => NodeKind::String(value.into()),
        Some(tag) if tag.is_yaml_core_schema() => scalars::resolve(value),
        None if plain => scalars::resolve(value),
        _ => NodeKind::String(value.into()),
    }
}

/// The text of a key, unless it is a list or a mapping.
fn key_text(node: Node, source: &str) -> Result<Box<str>, Node> {
    match node.kind {
        NodeKind::String(text) | NodeKind::Int(text) | NodeKind::Float(text) => Ok(text),
        NodeKind::Bool(_) | NodeKind::Null => Ok(node.span.slice(source).into()),
        NodeKind::Seq(_) | NodeKind::Map(_) => Err(node),
    }
}

/// Carries out merge keys: `<<: *defaults` adds the entries that are not written out.
fn merge(entries: &mut Vec<Entry>) {
    let Some(at) = entries.iter().position(|entry| &*entry.key == "<<") else { return };
    let merged = entries.remove(at);
    let maps = match merged.value.kind {
        NodeKind::Map(map) => vec![map],
        NodeKind::Seq(items) => items
            .into_iter()
            .filter_map(|item| match item.kind {
                NodeKind::Map(map) => Some(map),
                _ => None,
            })
            .collect(),
        // Not a merge key after all; the decoder will say that it does not know the field.
        _ => {
            entries.insert(at, merged);
            return;
        }
    };
    let mut known: BTreeSet<Box<str>> = entries.iter().map(|entry| entry.key.clone()).collect();
    for entry in maps.into_iter().flatten() {
        if known.insert(entry.key.clone()) {
            entries.push(entry);
        }
    }
}

pub(super) fn to_span(start: &Marker, end: &Marker) -> Span {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Span {
        start: number(start.byte_offset().unwrap_or(0)),
        end: number(end.byte_offset().unwrap_or(0)),
        line: number(start.line()),
        column: number(start.col()).saturating_add(1),
    }
}
