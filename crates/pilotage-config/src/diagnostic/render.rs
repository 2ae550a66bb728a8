//! Diagnostics for people: the line in question, and what is wrong with it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::{Diagnostic, Label, Severity};

/// The texts that diagnostics point into.
pub trait Sources {
    /// The text of the source of this name, if it is at hand.
    fn text(&self, name: &str) -> Option<&str>;
}

impl Sources for BTreeMap<Arc<str>, Arc<str>> {
    fn text(&self, name: &str) -> Option<&str> {
        self.get(name).map(|text| &**text)
    }
}

/// No texts: diagnostics show places without the lines.
impl Sources for () {
    fn text(&self, _: &str) -> Option<&str> {
        None
    }
}

/// A single text.
impl Sources for (&str, &str) {
    fn text(&self, name: &str) -> Option<&str> {
        (self.0 == name).then_some(self.1)
    }
}

/// How diagnostics look.
#[derive(Clone, Copy, Debug)]
pub struct RenderOptions {
    /// The most columns.
    pub width: usize,
    /// Whether to use colours, as escape sequences for a terminal.
    pub color: bool,
    /// Whether to draw lines with characters beyond ASCII.
    pub unicode: bool,
}

impl Default for RenderOptions {
    fn default() -> Self {
        Self { width: 100, color: false, unicode: true }
    }
}

/// Lines of one source farther apart than this are shown as two excerpts.
const NEAR: u32 = 8;

/// The most bytes of one line that are shown; no terminal has room for more.
const LONGEST_LINE: usize = 1000;

impl Diagnostic {
    /// The diagnostic with excerpts of the texts it points into, several lines without a line
    /// break at the end.
    #[must_use]
    pub fn render(&self, sources: &dyn Sources, options: &RenderOptions) -> String {
        let renderer = if options.color { Renderer::styled() } else { Renderer::plain() };
        let style = if options.unicode { DecorStyle::Unicode } else { DecorStyle::Ascii };
        let renderer = renderer.decor_style(style).term_width(options.width);
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Info => Level::INFO,
        };
        let prefix = self.severity.as_str().len() + self.code.id().len() + 4;
        let title = wrap(&self.message, options.width.saturating_sub(prefix));
        let excerpts = self.excerpts(sources, options.width);
        let mut group = Group::with_title(level.primary_title(title).id(self.code.id()));
        for excerpt in &excerpts {
            group = excerpt.add_to(group);
        }
        let room = options.width.saturating_sub(12);
        for note in &self.notes {
            group = group.element(Level::NOTE.message(wrap(note, room)));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(wrap(help, room)));
        }
        renderer.render(&[group]).trim_end().to_owned()
    }

    /// The labels, those on near lines together.
    fn excerpts<'a>(&'a self, sources: &'a dyn Sources, width: usize) -> Vec<Excerpt<'a>> {
        let mut excerpts: Vec<Excerpt<'a>> = Vec::new();
        let labels = self.primary.iter().map(|label| (label, true));
        for (label, primary) in labels.chain(self.secondary.iter().map(|label| (label, false))) {
            let text = sources.text(&label.source).filter(|_| !label.hidden);
            let near = excerpts.iter_mut().find(|excerpt| excerpt.takes(label));
            match (near, text) {
                (Some(excerpt), Some(_)) => excerpt.labels.push((label, primary)),
                (_, text) => excerpts.push(Excerpt { text, labels: vec![(label, primary)], width }),
            }
        }
        excerpts
    }
}

/// Some lines of a source and the labels on them.
struct Excerpt<'a> {
    text: Option<&'a str>,
    labels: Vec<(&'a Label, bool)>,
    width: usize,
}

impl<'a> Excerpt<'a> {
    fn takes(&self, label: &Label) -> bool {
        self.text.is_some()
            && label.span.is_known()
            && self.labels.iter().any(|(other, _)| {
                other.source == label.source && other.span.line.abs_diff(label.span.line) <= NEAR
            })
    }

    fn add_to(&self, group: Group<'a>) -> Group<'a> {
        let Some((first, _)) = self.labels.first() else { return group };
        let origin = Origin::path(&*first.source);
        if !first.span.is_known() {
            return group.element(origin);
        }
        let Some((text, lines)) = self.text.and_then(|text| self.lines(text)) else {
            let origin = origin.line(first.span.line as usize);
            return group.element(origin.char_column(first.span.column as usize));
        };
        let first_line = self.labels.iter().map(|(label, _)| label.span.line).min().unwrap_or(1);
        let mut snippet =
            Snippet::source(text.get(lines.clone()).unwrap_or("")).line_start(first_line as usize);
        let mut notes = Vec::new();
        for (label, primary) in &self.labels {
            let kind = if *primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            let annotation = kind.span(within(&lines, label, text));
            // Beside the excerpt only what fits into the line.
            let room = self.width.saturating_sub(label.span.column as usize % self.width + 10);
            let length = label.text.chars().count() + label.span.len() as usize;
            snippet = if length <= room {
                snippet.annotation(annotation.label(&*label.text))
            } else {
                notes.push(&*label.text);
                snippet.annotation(annotation)
            };
        }
        // The excerpt tells line and column by itself, unless the line's beginning is missing.
        let cut = lines.start > 0 && text.as_bytes().get(lines.start - 1) != Some(&b'\n');
        let group = if cut {
            let origin = origin.line(first.span.line as usize);
            group.element(origin.char_column(first.span.column as usize)).element(snippet)
        } else {
            group.element(snippet.path(&*first.source))
        };
        notes.into_iter().fold(group, |group, note| {
            group.element(Level::NOTE.message(wrap(note, self.width.saturating_sub(12))))
        })
    }

    /// The bytes of the lines from the first label to the last. Of an endless line only the part
    /// around the label.
    fn lines(&self, text: &'a str) -> Option<(&'a str, Range<usize>)> {
        let start = self.labels.iter().map(|(label, _)| label.span.start as usize).min()?;
        let last = self.labels.iter().map(|(label, _)| label.span.start as usize).max()?;
        let mut begin = text.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
        let mut end = text.get(last..)?.find('\n').map_or(text.len(), |at| last + at);
        if end - begin > LONGEST_LINE * self.labels.len() {
            begin = begin.max(floor(text, start.saturating_sub(LONGEST_LINE / 2)));
            end = end.min(floor(text, last + LONGEST_LINE / 2));
        }
        Some((text, begin..end.max(begin)))
    }
}

/// The part of a label's span that is on its first line, relative to the lines shown.
fn within(lines: &Range<usize>, label: &Label, text: &str) -> Range<usize> {
    let start = (label.span.start as usize).clamp(lines.start, lines.end);
    let end = (label.span.end as usize).clamp(start, lines.end);
    let first_line =
        text.get(start..end).map_or(0, |covered| covered.find('\n').unwrap_or(covered.len()));
    start - lines.start..start + first_line - lines.start
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Breaks a text into lines of at most `width` characters, where words allow it.
fn wrap(text: &str, width: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}
