//! Rows of three columns: what it is about, what is said, and where that was written.

/// Columns of a screen when there is none to ask.
const COLUMNS: usize = 100;
/// Columns for what a row is about.
const TOPIC: usize = 10;
/// The least distance between what is said and where it was written.
const GAP: usize = 2;

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";

/// How a row is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As text.
    #[default]
    Plain,
    /// What matters most.
    Strong,
    /// What is there and matters less.
    Quiet,
    /// What is well.
    Good,
    /// What is not.
    Bad,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => BOLD,
            Self::Quiet => DIM,
            Self::Good => GREEN,
            Self::Bad => RED,
        }
    }
}

/// Rows in the order in which they are read.
#[derive(Debug)]
pub(crate) struct Rows {
    text: String,
    width: usize,
    /// What the last row that was about something was about.
    last: String,
}

impl Rows {
    /// Rows for a screen of this width, or of the usual one.
    pub(crate) fn new(width: Option<usize>) -> Self {
        Self {
            text: String::new(),
            last: String::new(),
            width: width.unwrap_or(COLUMNS).clamp(60, 160),
        }
    }

    /// A row; what it is about is not repeated from row to row. `indent` is how far below the row above it stands;
    /// `source` is where it was written.
    pub(crate) fn push(
        &mut self,
        topic: &str,
        indent: usize,
        said: &str,
        source: &str,
        tone: Tone,
    ) {
        let topic = if topic == self.last { "" } else { topic };
        if !topic.is_empty() {
            topic.clone_into(&mut self.last);
        }
        let start = 2 + TOPIC + 2 * indent;
        let free = self.width.saturating_sub(start).max(20);
        // What goes before a tab is left out where it does not fit.
        let source = match source.rsplit_once('\t') {
            Some((object, line)) => {
                let all = format!("{object}  {line}");
                let fits = columns(said) + GAP + columns(&all) <= free;
                if fits { all } else { line.to_owned() }
            }
            None => source.to_owned(),
        };
        let source_columns = if source.is_empty() { 0 } else { columns(&source) + GAP };
        // What is said goes around the source unless hardly anything would be left.
        let first = if free > source_columns + 24 { free - source_columns } else { free };
        let lines = wrapped(said, first, free);
        for (number, line) in lines.iter().enumerate() {
            let topic = if number == 0 { topic } else { "" };
            let indented = if number == 0 { 0 } else { 2 };
            let left = format!("  {topic:<TOPIC$}{:1$}", "", 2 * indent + indented);
            let (code, end) = if tone == Tone::Plain { ("", "") } else { (tone.code(), PLAIN) };
            let mut row = format!("{left}{code}{line}{end}");
            if number == 0 && !source.is_empty() {
                let used = columns(&left) + columns(line);
                let pad = self.width.saturating_sub(used + columns(&source)).max(GAP);
                row.push_str(&format!("{:pad$}{DIM}{source}{PLAIN}", ""));
            }
            self.text.push_str(row.trim_end());
            self.text.push('\n');
        }
    }

    /// A line of its own, wrapped.
    pub(crate) fn line(&mut self, text: &str, tone: Tone) {
        for line in wrapped(text, self.width, self.width) {
            let (code, end) = if tone == Tone::Plain { ("", "") } else { (tone.code(), PLAIN) };
            self.text.push_str(&format!("{code}{line}{end}\n"));
        }
    }

    /// An empty line.
    pub(crate) fn gap(&mut self) {
        self.text.push('\n');
    }

    /// Everything.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

fn columns(text: &str) -> usize {
    text.chars().count()
}

/// What stands between parts of a text that belong together: lines are broken there before they are elsewhere.
const APART: &str = "   ";

/// `text` in lines of at most `first` and then `rest` columns. Words longer than that stay whole.
fn wrapped(text: &str, first: usize, rest: usize) -> Vec<String> {
    let rest = rest.saturating_sub(2);
    let mut lines: Vec<String> = Vec::new();
    for part in text.split(APART) {
        let is_first = lines.len() < 2;
        let most = if is_first { first } else { rest };
        match lines.last_mut() {
            Some(line) if columns(line) + columns(APART) + columns(part) <= most => {
                line.push_str(APART);
                line.push_str(part);
            }
            Some(_) => lines.extend(in_words(part, rest, rest)),
            None => lines.extend(in_words(part, first, rest)),
        }
    }
    lines
}

/// The same, broken at any space.
fn in_words(text: &str, first: usize, rest: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let most = if lines.is_empty() { first } else { rest };
        if !line.is_empty() && columns(&line) + 1 + columns(word) > most {
            lines.push(std::mem::take(&mut line));
        } else if !line.is_empty() || lines.is_empty() && !text.starts_with(word) {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::{Rows, Tone};

    fn plain(rows: Rows) -> String {
        let text = rows.into_text();
        ["\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[0m"]
            .iter()
            .fold(text, |text, code| text.replace(code, ""))
    }

    #[test]
    fn sources_stand_at_the_right_and_text_goes_around_them() {
        let mut rows = Rows::new(Some(60));
        rows.push("timeout", 0, "none", "Istio default", Tone::Plain);
        rows.push(
            "retries",
            0,
            "2 on connect-failure, refused-stream, unavailable",
            "a.yaml:1",
            Tone::Bad,
        );
        let text = plain(rows);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "  timeout   none                               Istio default");
        assert_eq!(lines[0].len(), 60);
        assert!(lines[1].ends_with("  a.yaml:1") && lines[1].len() == 60, "{text}");
        assert_eq!(lines[2], "              unavailable", "{text}");
    }

    #[test]
    fn lines_are_broken_between_parts_before_they_are_between_words() {
        let mut rows = Rows::new(Some(60));
        rows.push(
            "rule 1",
            0,
            "http[0]   no: header x   want exact jason   got mallory",
            "a.yaml:1",
            Tone::Plain,
        );
        let text = plain(rows);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "rule 1    http[0]   no: header x                  a.yaml:1",
                "want exact jason   got mallory"
            ]
        );
    }
}
