//! The grammar of protobuf text.

use std::sync::Arc;

use pilotage_config::yaml::{Entry, Node, NodeKind};
use pilotage_config::{Diagnostic, Span, codes};

/// How deep messages may be in others.
const DEPTH: usize = 64;

/// The fields of the message that all of `text` is. Fields that are written several times are there several times.
pub(super) fn message(name: &Arc<str>, text: &str) -> Result<Node, Box<Diagnostic>> {
    let mut reader = Reader { name, text, at: 0, line: 1, line_start: 0 };
    let span = reader.span(0);
    let fields = reader.fields(None, DEPTH)?;
    Ok(Node { kind: NodeKind::Map(fields), span })
}

struct Reader<'t> {
    name: &'t Arc<str>,
    text: &'t str,
    at: usize,
    line: u32,
    line_start: usize,
}

type Read<T> = Result<T, Box<Diagnostic>>;

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn advance(&mut self, bytes: usize) {
        let taken = self.rest().get(..bytes).unwrap_or_default();
        for (offset, _) in taken.match_indices('\n') {
            self.line += 1;
            self.line_start = self.at + offset + 1;
        }
        self.at += bytes;
    }

    /// The place of the next `bytes`.
    fn span(&self, bytes: usize) -> Span {
        let short = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let before = self.text.get(self.line_start..self.at).unwrap_or_default();
        Span {
            start: short(self.at),
            end: short(self.at + bytes),
            line: self.line,
            column: short(before.chars().count() + 1),
        }
    }

    fn problem(&self, at: Span, message: &str) -> Box<Diagnostic> {
        let problem = Diagnostic::new(codes::PIL0203, message).at(self.name, at, "");
        Box::new(problem.help("files that end in .pb_text are protobuf text"))
    }

    fn expected(&self, what: &str) -> Box<Diagnostic> {
        self.problem(
            self.span(usize::from(self.peek().is_some())),
            &format!("{what} is expected here"),
        )
    }

    /// Goes on to what counts: no spaces, no comments.
    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let bytes = match rest.chars().next() {
                Some(space) if space.is_whitespace() => space.len_utf8(),
                Some('#') => rest.find('\n').unwrap_or(rest.len()),
                _ => return,
            };
            self.advance(bytes);
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        self.skip();
        let found = self.peek() == Some(wanted);
        if found {
            self.advance(wanted.len_utf8());
        }
        found
    }

    /// The fields up to `end`, which is taken as well; or to the end of the text.
    fn fields(&mut self, end: Option<(char, Span)>, depth: usize) -> Read<Vec<Entry>> {
        let mut fields = Vec::new();
        loop {
            self.skip();
            match (end, self.peek()) {
                (None, None) => return Ok(fields),
                (Some((_, opened)), None) => {
                    return Err(self.problem(opened, "this is never closed"));
                }
                (Some((end, _)), Some(next)) if next == end => {
                    self.advance(end.len_utf8());
                    return Ok(fields);
                }
                _ => {}
            }
            let (key, key_span) =
                self.word().ok_or_else(|| self.expected("the name of a field"))?;
            let colon = self.take(':');
            self.skip();
            if !colon && !matches!(self.peek(), Some('{' | '<')) {
                return Err(self.expected("`:`"));
            }
            let value = self.value(depth)?;
            let _ = self.take(',') || self.take(';');
            fields.push(Entry { key: key.into(), key_span, value });
        }
    }

    /// A name, number or other word.
    fn word(&mut self) -> Option<(&'t str, Span)> {
        let rest = self.rest();
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '.');
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let word = rest.get(..length).filter(|word| !word.is_empty())?;
        let span = self.span(length);
        self.advance(length);
        Some((word, span))
    }

    fn value(&mut self, depth: usize) -> Read<Node> {
        self.skip();
        let opened = self.span(1);
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.problem(opened, "messages are too deep in each other"));
        };
        let kind = match self.peek() {
            Some(open @ ('{' | '<')) => {
                self.advance(1);
                let end = if open == '{' { '}' } else { '>' };
                NodeKind::Map(self.fields(Some((end, opened)), depth)?)
            }
            Some('[') => {
                self.advance(1);
                NodeKind::Seq(self.items(opened, depth)?)
            }
            Some('"' | '\'') => NodeKind::String(self.texts()?.into()),
            _ => {
                let (word, span) = self.word().ok_or_else(|| self.expected("a value"))?;
                return Ok(Node { kind: scalar(word), span });
            }
        };
        Ok(Node { kind, span: opened })
    }

    fn items(&mut self, opened: Span, depth: usize) -> Read<Vec<Node>> {
        let mut items = Vec::new();
        while !self.take(']') {
            if self.peek().is_none() {
                return Err(self.problem(opened, "this is never closed"));
            }
            if !items.is_empty() && !self.take(',') {
                return Err(self.expected("`,` or `]`"));
            }
            items.push(self.value(depth)?);
        }
        Ok(items)
    }

    /// Texts that follow each other are one.
    fn texts(&mut self) -> Read<String> {
        let mut bytes = Vec::new();
        while let Some(quote @ ('"' | '\'')) = self.peek() {
            let opened = self.span(1);
            self.advance(1);
            self.text_until(quote, opened, &mut bytes)?;
            self.skip();
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn text_until(&mut self, quote: char, opened: Span, bytes: &mut Vec<u8>) -> Read<()> {
        loop {
            let next = self.peek().filter(|next| *next != '\n');
            let next = next.ok_or_else(|| self.problem(opened, "this text never ends"))?;
            let place = self.span(1);
            self.advance(next.len_utf8());
            if next == quote {
                return Ok(());
            }
            if next == '\\' {
                let byte = self.escaped().ok_or_else(|| self.problem(place, "no such escape"))?;
                bytes.push(byte);
            } else {
                bytes.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }

    /// What is meant by the characters behind a backslash.
    fn escaped(&mut self) -> Option<u8> {
        let next = self.peek()?;
        if next.is_digit(8) {
            return self.digits(3, 8);
        }
        self.advance(next.len_utf8());
        Some(match next {
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'v' => 11,
            '\\' | '\'' | '"' | '?' => u8::try_from(next).ok()?,
            'x' | 'X' => return self.digits(2, 16),
            _ => return None,
        })
    }

    /// A byte as at most `most` digits.
    fn digits(&mut self, most: usize, radix: u32) -> Option<u8> {
        let rest = self.rest();
        let count = rest.chars().take(most).take_while(|c| c.is_digit(radix)).count();
        let byte = u8::from_str_radix(rest.get(..count)?, radix).ok()?;
        self.advance(count);
        Some(byte)
    }
}

fn scalar(word: &str) -> NodeKind {
    match word {
        "true" | "True" | "t" => NodeKind::Bool(true),
        "false" | "False" | "f" => NodeKind::Bool(false),
        number if number.parse::<i128>().is_ok() => NodeKind::Int(number.into()),
        number => match number.trim_end_matches(['f', 'F']).parse::<f64>() {
            Ok(float) if float.is_finite() => NodeKind::Float(float.to_string().into()),
            _ => NodeKind::String(number.into()),
        },
    }
}
