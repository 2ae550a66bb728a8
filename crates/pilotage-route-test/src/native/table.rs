//! Tests as lines of a table: columns with bars between, the first line names them.
//!
//! Each row is read as if it had been written as a test of the list: `name`, `request` and `from` are what they are
//! there, every other column is something that is expected. Empty cells say nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use pilotage_config::decode::Decode;
use pilotage_config::yaml::{self, Entry, Node, NodeKind};
use pilotage_config::{Diagnostic, Span, codes};

use super::file::{Test, TestCase, decoder};
use super::spans::Origin;
use crate::report::Place;

/// Columns that are not about what is expected.
const OF_THE_TEST: [&str; 3] = ["name", "request", "from"];

/// A cell with its place.
#[derive(Clone, Debug)]
struct Cell<'t> {
    text: &'t str,
    at: Origin,
}

/// The tests of the table `node` in `text`, and what is wrong with it.
pub(super) fn tests(name: &Arc<str>, text: &str, node: &Node) -> (Vec<Test>, Vec<Diagnostic>) {
    let mut rows = rows(text, node.span).into_iter();
    let mut problems = Vec::new();
    let Some(header) = rows.next() else {
        let problem = Diagnostic::new(codes::PIL0203, "the table is empty");
        return (Vec::new(), vec![problem.at(name, node.span, "")]);
    };
    let mut tests = Vec::new();
    let mut told: BTreeSet<Span> = BTreeSet::new();
    for row in rows {
        let Some(first) = row.first() else { continue };
        if row.len() > header.len() {
            let extra = row.get(header.len()).unwrap_or(first);
            let message = format!(
                "the row has {} cells, and the table has {} columns",
                row.len(),
                header.len()
            );
            let help = "a bar inside of a cell is written \\|";
            let problem = Diagnostic::new(codes::PIL0203, message).help(help);
            problems.push(problem.at(name, extra.span(), "no column for this"));
            continue;
        }
        let (node, broken) = as_test(name, &header, &row);
        let place = Place { file: Arc::clone(name), line: first.at.line };
        let mut decoder = decoder(name, TestCase::SHAPE);
        let case = TestCase::decode(&node, &mut decoder).unwrap_or_default();
        let failed = decoder.failed() || !broken.is_empty();
        let found = crate::file::problems(decoder.finish(None).1).chain(broken);
        // What is wrong with a column is said once.
        problems.extend(found.filter(|problem| {
            problem.primary.as_ref().is_none_or(|label| told.insert(label.span))
        }));
        if !failed {
            let row = format!("the row at line {}", place.line);
            problems.extend(case.lacks(&row).map(|problem| problem.at(name, node.span, "")));
        }
        tests.push(Test { place, case });
    }
    (tests, problems)
}

/// The rows of the table that stands at `span`, without the line of dashes that Markdown wants under the first.
fn rows(text: &str, span: Span) -> Vec<Vec<Cell<'_>>> {
    let mut found = Vec::new();
    let whole = span.slice(text);
    let start = usize::try_from(span.start).unwrap_or(usize::MAX);
    // The place of a block of text begins at its `|`, the lines follow.
    let mut offset = start;
    let end = start + whole.len();
    for (number, line) in (span.line..).zip(text.get(start..).unwrap_or("").split_inclusive('\n')) {
        let begins_at = offset;
        offset += line.len();
        if begins_at >= end.max(start + 1) {
            break;
        }
        let content = line.trim();
        // The first line is the mark of the block itself.
        if begins_at == start && matches!(content, "|" | "|-" | "|+" | ">" | ">-") {
            continue;
        }
        let is_rule = !content.is_empty() && content.chars().all(|c| "|-: ".contains(c));
        let only_comment = content.starts_with('#');
        if content.is_empty() || is_rule || only_comment {
            continue;
        }
        let column = if begins_at == start { span.column } else { 1 };
        found.push(cells(line, begins_at, number, column));
    }
    found
}

/// The cells of a line. A bar that is part of a cell has a backslash before it.
fn cells(line: &str, offset: usize, number: u32, column: u32) -> Vec<Cell<'_>> {
    let mut cells = Vec::new();
    let content = line.trim_end();
    let mut start = content.len() - content.trim_start().len();
    if content.get(start..).is_some_and(|rest| rest.starts_with('|')) {
        start += 1;
    }
    let mut push = |from: usize, to: usize| {
        let raw = content.get(from..to).unwrap_or("");
        let text = raw.trim();
        let begins = from + (raw.len() - raw.trim_start().len());
        let before = content.get(..begins).map_or(0, |before| before.chars().count());
        let number_of = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let at = Origin {
            offset: number_of(offset + begins),
            line: number,
            column: column + number_of(before),
        };
        cells.push(Cell { text, at });
    };
    let mut escaped = false;
    let mut open = start;
    for (index, character) in content.char_indices().skip_while(|(index, _)| *index < start) {
        match character {
            '|' if !escaped => {
                push(open, index);
                open = index + 1;
            }
            _ => {}
        }
        escaped = character == '\\' && !escaped;
    }
    if open < content.len() {
        push(open, content.len());
    }
    cells
}

impl Cell<'_> {
    fn span(&self) -> Span {
        let end = self.at.offset + u32::try_from(self.text.len()).unwrap_or(0);
        Span { start: self.at.offset, end, line: self.at.line, column: self.at.column }
    }

    fn plain(&self) -> String {
        self.text.replace("\\|", "|")
    }

    /// What the cell says: YAML in braces or brackets, a whole number, else text.
    fn node(&self, name: &Arc<str>, problems: &mut Vec<Diagnostic>) -> Node {
        let text = self.plain();
        let kind = if text.starts_with(['{', '[']) {
            let (nodes, found) = yaml::documents(name, &text);
            problems.extend(found.into_iter().map(|mut problem| {
                problem.code = codes::PIL0203;
                for label in problem.primary.iter_mut().chain(&mut problem.secondary) {
                    label.span = self.at.of(label.span);
                }
                problem
            }));
            if let Some(mut node) = nodes.into_iter().next() {
                self.at.shift(&mut node);
                return node;
            }
            NodeKind::Null
        } else if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            NodeKind::Int(text.into())
        } else {
            NodeKind::String(text.into())
        };
        Node { kind, span: self.span() }
    }
}

/// A row as one would have written it as a test.
fn as_test(name: &Arc<str>, header: &[Cell<'_>], row: &[Cell<'_>]) -> (Node, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let (mut of_test, mut expected) = (Vec::new(), Vec::new());
    let mut whole = row.first().map(Cell::span).unwrap_or_default();
    for (column, cell) in header.iter().zip(row).filter(|(_, cell)| !cell.text.is_empty()) {
        whole.end = cell.span().end;
        let is_of_test = OF_THE_TEST.contains(&column.text);
        let value = if is_of_test {
            Node { kind: NodeKind::String(cell.plain().into()), span: cell.span() }
        } else {
            cell.node(name, &mut problems)
        };
        let entry = Entry { key: column.text.into(), key_span: column.span(), value };
        if is_of_test { of_test.push(entry) } else { expected.push(entry) }
    }
    if !expected.is_empty() {
        let value = Node { kind: NodeKind::Map(expected), span: whole };
        of_test.push(Entry { key: "expect".into(), key_span: whole, value });
    }
    (Node { kind: NodeKind::Map(of_test), span: whole }, problems)
}
