//! The lines of a text that is not YAML, as far as indentation tells how they belong together.

use crate::span::Span;

/// A line with content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    /// Its number, from 1.
    pub(super) number: u32,
    /// The bytes before its first character that is no blank.
    pub(super) indent: usize,
    /// Whether it begins with the `-` of a list item.
    pub(super) dash: bool,
    /// The columns before its key: those of the line, or after the dash.
    pub(super) key_indent: usize,
    /// Its key, when it has one.
    pub(super) key: Option<&'a str>,
    /// Where it begins in the text.
    start: usize,
    /// Its length without blanks at the ends.
    length: usize,
}

impl<'a> Line<'a> {
    /// The place of the key, or of the whole line.
    pub(super) fn span(&self) -> Span {
        let length = match self.key {
            Some(key) => self.key_indent - self.indent + key.len(),
            None => self.length,
        };
        let skip = if self.key.is_some() { self.key_indent } else { self.indent };
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Span {
            start: number(self.start + skip),
            end: number(self.start + self.indent + length),
            line: self.number,
            column: number(skip).saturating_add(1),
        }
    }

    fn read(number: u32, start: usize, text: &'a str) -> Option<Self> {
        let content = text.trim();
        if content.is_empty() || content.starts_with('#') {
            return None;
        }
        let indent = text.len() - text.trim_start().len();
        let dash = content == "-" || content.starts_with("- ");
        let after =
            if dash { content.strip_prefix('-').unwrap_or("").trim_start() } else { content };
        let key_indent = indent + content.len() - after.len();
        let key = after.split_once(':').and_then(|(key, rest)| {
            let plain = !key.is_empty()
                && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b));
            (plain && (rest.is_empty() || rest.starts_with([' ', '\r']))).then_some(key)
        });
        Some(Self { number, indent, dash, key_indent, key, start, length: content.len() })
    }
}

/// The lines of a document up to a place in it, and some that follow.
#[derive(Debug)]
pub(super) struct Outline<'a> {
    before: Vec<Line<'a>>,
    /// The line of the place.
    pub(super) at: Option<Line<'a>>,
    /// Lines after it.
    pub(super) after: Vec<Line<'a>>,
}

/// Lines farther away explain nothing.
const FARTHEST: u32 = 400;

impl<'a> Outline<'a> {
    /// Looks at the document around the line `number`.
    pub(super) fn around(text: &'a str, offset: usize, number: u32) -> Self {
        let mut outline = Self { before: Vec::new(), at: None, after: Vec::new() };
        let (mut begin, mut first) = (offset.min(text.len()), number);
        while !text.is_char_boundary(begin) {
            begin -= 1;
        }
        let mut lines_back = 0;
        while let Some(at) = text.get(..begin).and_then(|before| before.rfind('\n')) {
            if lines_back == FARTHEST {
                break;
            }
            begin = at;
            lines_back += 1;
        }
        if lines_back < FARTHEST {
            begin = 0;
        } else {
            begin += 1;
            first += 1;
        }
        first = first.saturating_sub(lines_back).max(1);
        let mut start = begin;
        for (index, raw) in text.get(begin..).unwrap_or("").split_inclusive('\n').enumerate() {
            let current = first + u32::try_from(index).unwrap_or(0);
            let line_start = start;
            start += raw.len();
            if current > number + FARTHEST {
                break;
            }
            if raw.starts_with("---") || raw.starts_with("...") {
                if current > number {
                    break;
                }
                outline.before.clear();
                continue;
            }
            let Some(line) = Line::read(current, line_start, raw) else { continue };
            match current.cmp(&number) {
                std::cmp::Ordering::Less => outline.before.push(line),
                std::cmp::Ordering::Equal => outline.at = Some(line),
                std::cmp::Ordering::Greater => outline.after.push(line),
            }
        }
        outline
    }

    /// Lines before the place, the nearest first.
    pub(super) fn back(&self) -> impl Iterator<Item = &Line<'a>> {
        self.before.iter().rev()
    }

    /// The item of a list whose dashes stand `indent` columns from the left and that is still
    /// open, the lines between not considered.
    pub(super) fn item(&self, indent: usize) -> Option<&Line<'a>> {
        self.back().find(|line| line.indent == indent && line.dash)
    }
}
