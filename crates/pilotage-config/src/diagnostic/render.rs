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
        let origin = origin.line(first.span.line as usize).char_column(first.span.column as usize);
        let Some(shown) = self.text.and_then(|text| self.shown(text)) else {
            return group.element(origin);
        };
        let mut snippet = Snippet::source(shown.text.clone()).line_start(shown.first_line);
        let mut notes = Vec::new();
        for ((label, primary), range) in self.labels.iter().zip(&shown.ranges) {
            let kind = if *primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            let annotation = kind.span(range.clone());
            // Beside the excerpt only what fits into the line.
            let column = shown.text.get(..range.end).map_or(0, |before| {
                before.rsplit('\n').next().unwrap_or("").chars().map(columns).sum()
            });
            snippet = if column + label.text.chars().count() < self.width.saturating_sub(10) {
                snippet.annotation(annotation.label(&*label.text))
            } else {
                notes.push(&*label.text);
                snippet.annotation(annotation)
            };
        }
        // The excerpt tells line and column by itself, unless the line's beginning is missing.
        let group = if shown.beginning_is_cut {
            group.element(origin).element(snippet)
        } else {
            group.element(snippet.path(&*first.source))
        };
        notes.into_iter().fold(group, |group, note| {
            group.element(Level::NOTE.message(wrap(note, self.width.saturating_sub(12))))
        })
    }

    /// The lines from the first label to the last, each cut to the width, and where the labels
    /// are in them.
    fn shown(&self, text: &str) -> Option<Shown> {
        let start = self.labels.iter().map(|(label, _)| label.span.start as usize).min()?;
        let last = self.labels.iter().map(|(label, _)| label.span.start as usize).max()?;
        let begin = text.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
        let end = text.get(last..)?.find('\n').map_or(text.len(), |at| last + at);
        let first_line = self.labels.iter().map(|(label, _)| label.span.line).min()? as usize;
        let mut shown = Shown {
            text: String::new(),
            ranges: vec![0..0; self.labels.len()],
            first_line,
            beginning_is_cut: false,
        };
        let room = self.width.saturating_sub(14).max(20);
        let mut at = begin;
        for line in text.get(begin..end.max(begin))?.split('\n') {
            let here = at..at + line.len();
            let labels: Vec<usize> = (0..self.labels.len())
                .filter(|index| {
                    let start = self.labels.get(*index).map(|(label, _)| label.span.start as usize);
                    start.is_some_and(|start| here.contains(&start) || start == here.end)
                })
                .collect();
            self.add_line(line.trim_end_matches('\r'), at, &labels, room, &mut shown);
            at = here.end + 1;
        }
        Some(shown)
    }

    fn add_line(&self, line: &str, at: usize, labels: &[usize], room: usize, shown: &mut Shown) {
        let spans = labels.iter().filter_map(|index| self.labels.get(*index));
        let first = spans.clone().map(|(label, _)| label.span.start as usize - at).min();
        let last = spans.map(|(label, _)| label.span.end as usize - at).max();
        let window = window(line, first.unwrap_or(0), last.unwrap_or(0), room);
        if !shown.text.is_empty() {
            shown.text.push('\n');
        }
        if window.start > 0 {
            let primary = labels.contains(&0);
            shown.beginning_is_cut |= primary;
            shown.text.push('…');
        }
        let offset = shown.text.len();
        shown.text.push_str(line.get(window.clone()).unwrap_or(""));
        for index in labels {
            let (Some((label, _)), Some(range)) =
                (self.labels.get(*index), shown.ranges.get_mut(*index))
            else {
                continue;
            };
            let within = |place: u32| {
                (place as usize - at).clamp(window.start, window.end) - window.start + offset
            };
            *range = within(label.span.start)..within(label.span.end);
        }
        if window.end < line.len() {
            shown.text.push('…');
        }
    }
}

/// Lines as they are shown.
struct Shown {
    text: String,
    /// Where each label is in the text.
    ranges: Vec<Range<usize>>,
    first_line: usize,
    beginning_is_cut: bool,
}

/// The bytes of a line to show when there is room for `room` characters: the beginning if what
/// lies between `first` and `last` is in it, else the part around.
fn window(line: &str, first: usize, last: usize, room: usize) -> Range<usize> {
    const BEFORE: usize = 20;
    let end_of = |start: usize| {
        let rest = line.get(start..).unwrap_or("");
        let mut used = 0;
        let beyond = rest.char_indices().find(|(_, character)| {
            used += columns(*character);
            used > room
        });
        beyond.map_or(line.len(), |(at, _)| start + at)
    };
    let end = end_of(0);
    if end == line.len() || last.min(line.len()) <= end {
        return 0..end;
    }
    let start = floor(line, first.saturating_sub(BEFORE));
    start..end_of(start)
}

/// The columns of a terminal that a character takes, at most.
fn columns(character: char) -> usize {
    match character {
        '\t' => 4,
        '\u{1100}'.. => 2,
        _ => 1,
    }
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Breaks a text into lines of at most `width` characters, between words where it can. Control
/// characters are spelled out, so that no message can do tricks with a terminal.
fn wrap(text: &str, width: usize) -> String {
    let width = width.max(20);
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for word in text.split(' ') {
        let mut word: String = word.chars().map(visible).collect();
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        while let Some(at) = break_at(&word, width - column.min(width)) {
            let rest = word.split_off(at);
            out.push_str(&word);
            out.push('\n');
            column = 0;
            word = rest;
        }
        column += word.chars().count();
        out.push_str(&word);
    }
    out
}

fn visible(character: char) -> char {
    if character.is_control() { '\u{fffd}' } else { character }
}

/// Where to break a word that is longer than `room` characters: after a dot or slash if there is
/// one.
fn break_at(word: &str, room: usize) -> Option<usize> {
    let (end, _) = word.char_indices().nth(room.max(1))?;
    let head = word.get(..end)?;
    Some(head.rfind(['.', '/', ',']).map_or(end, |at| at + 1))
}
