//! Explains texts that are not YAML, the common mistakes in words of their own.

use granit_parser::{ErrorKind, ScanError};

use super::build::to_span;
use super::outline::{Line, Outline};
use super::{Entry, Limits, Node, SourceName, shorten};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// A value that begins with `*` and is no alias.
pub(super) fn not_an_alias(source: &SourceName, text: &str, name: &str, span: Span) -> Diagnostic {
    let written = span.slice(text);
    let written = if written.is_empty() { format!("*{name}") } else { written.to_owned() };
    if name.contains(['.', '*']) || name.is_empty() {
        return star(source, span, &written);
    }
    let message = format!("there is no anchor `&{}` in this document", shorten(name));
    Diagnostic::new(codes::PIL0008, message)
        .at(source, span, "this alias refers to nothing")
        .help(format!("to mean the text, quote it: \"{written}\""))
}

fn star(source: &SourceName, span: Span, written: &str) -> Diagnostic {
    let message = format!(
        "`{}` is not a string here: in YAML a leading `*` means an alias",
        shorten(written)
    );
    Diagnostic::new(codes::PIL0007, message).at(source, span, format!("quote it: \"{written}\""))
}

/// An alias inside the value that it stands for.
pub(super) fn circular_alias(source: &SourceName, text: &str, span: Span) -> Diagnostic {
    let message = format!("the alias `{}` contains itself", shorten(span.slice(text)));
    Diagnostic::new(codes::PIL0008, message).at(source, span, "inside the value that it repeats")
}

/// A key that is a list or a mapping.
pub(super) fn complex_key(source: &SourceName, text: &str, node: &Node) -> Diagnostic {
    let problem = Diagnostic::new(
        codes::PIL0001,
        format!("a key has to be text, and this is {}", node.describe()),
    )
    .at(source, node.span, "used as a key");
    let start = (node.span.start as usize).saturating_sub(1);
    if text.get(start..).is_some_and(|rest| rest.starts_with("{{")) {
        template(problem)
    } else {
        problem
    }
}

fn template(problem: Diagnostic) -> Diagnostic {
    problem.help(
        "values in {{ }} belong to a template; render it first, for instance with `helm template`",
    )
}

/// A key that stands twice in one mapping.
pub(super) fn duplicate_key(source: &SourceName, first: &Entry, again: &Entry) -> Diagnostic {
    Diagnostic::new(codes::PIL0004, format!("the key `{}` stands twice", shorten(&again.key)))
        .at(source, again.key_span, "a second time here")
        .also_at(source, first.key_span, "first here")
        .help("remove one of them; only one value could count")
}

/// A text that the parser gave up on.
pub(super) fn explain(
    source: &SourceName,
    text: &str,
    error: &ScanError,
    limits: &Limits,
) -> Diagnostic {
    let mut span = to_span(error.marker(), error.marker());
    let rest = text.get(span.start as usize..).unwrap_or("");
    let first = rest.chars().next().filter(|c| !matches!(c, '\n' | '\r'));
    span.end = span.start + first.map_or(0, |c| u32::try_from(c.len_utf8()).unwrap_or(1));
    let broken = |message: String, label: &str| {
        Diagnostic::new(codes::PIL0001, message).at(source, span, label)
    };
    let problem = match error.kind() {
        ErrorKind::RecursionLimitExceeded => {
            let message =
                format!("the document is nested more deeply than {} levels", limits.depth);
            return Diagnostic::new(codes::PIL0002, message).at(source, span, "too deep");
        }
        ErrorKind::MissingAnchorOrAliasName if rest.starts_with('*') => {
            let written: &str = rest.split_whitespace().next().unwrap_or("*");
            span.end = span.start + u32::try_from(written.len()).unwrap_or(1);
            return star(source, span, written);
        }
        ErrorKind::MissingAnchorOrAliasName => broken(
            "a leading `&` means an anchor, and its name is missing".to_owned(),
            "quote it to mean the text",
        ),
        ErrorKind::UnexpectedCharacter { character } => broken(
            format!("a value cannot begin with `{}`", character.escape_default()),
            "quote it to mean the text",
        ),
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart => {
            broken("YAML does not allow tabs for indentation".to_owned(), "use spaces")
        }
        ErrorKind::UnclosedQuotedScalar => {
            broken("a quote is never closed".to_owned(), "looked for the closing quote from here")
        }
        ErrorKind::UnclosedFlowCollection { open } => {
            broken(format!("a `{open}` is never closed"), "the text ends inside of it")
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            broken(format!("a `{open}` is closed by `{close}`"), "does not fit")
        }
        kind => {
            return structure(source, text, span).unwrap_or_else(|| {
                broken(format!("not well-formed YAML: {kind}"), "cannot go on here")
            });
        }
    };
    if line_of(text, span).contains("{{") { template(problem) } else { problem }
}

fn line_of(text: &str, span: Span) -> &str {
    let at = (span.start as usize).min(text.len());
    let begin = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    text.get(begin..).and_then(|rest| rest.lines().next()).unwrap_or("")
}

/// Problems with indentation, told from the lines around.
fn structure(source: &SourceName, text: &str, span: Span) -> Option<Diagnostic> {
    let outline = Outline::around(text, span.start as usize, span.line);
    let at = outline.at?;
    list_goes_on(source, &outline, &at)
        .or_else(|| key_among_dashes(source, &outline, &at))
        .or_else(|| second_colon(source, text, &outline, &at, span))
}

/// A key at the left ended a list, and then the list goes on.
fn list_goes_on(source: &SourceName, outline: &Outline<'_>, at: &Line<'_>) -> Option<Diagnostic> {
    if !at.dash {
        return None;
    }
    let item = outline.item(at.indent)?;
    let stray = outline
        .back()
        .take_while(|line| line.number > item.number)
        .filter(|line| !line.dash && line.indent <= at.indent)
        .last()?;
    let key = stray.key?;
    let message =
        format!("`{key}` is not indented enough and so ends the list that goes on below it");
    let to = item.key_indent + 1;
    let mut problem = Diagnostic::new(codes::PIL0009, message)
        .at(source, stray.span(), format!("belongs to the item in line {}", item.number))
        .also_at(source, item.span(), "the item")
        .also_at(source, at.span(), "here the list goes on");
    let again =
        outline.after.iter().find(|line| line.indent == stray.indent && line.key == Some(key));
    if let Some(again) = again {
        problem = problem.also_at(source, again.span(), "the same again");
    }
    Some(
        problem
            .help(format!("begin `{key}` in column {to}, and what stands under it further right")),
    )
}

/// A key stands where the dashes of a list stand.
fn key_among_dashes(
    source: &SourceName,
    outline: &Outline<'_>,
    at: &Line<'_>,
) -> Option<Diagnostic> {
    let key = at.key.filter(|_| !at.dash)?;
    let item = outline.item(at.indent)?;
    if outline
        .back()
        .take_while(|line| line.number > item.number)
        .any(|line| line.indent < at.indent)
    {
        return None;
    }
    let message = format!("`{key}` stands in the column of the list's dashes but is no item");
    let to = item.key_indent + 1;
    Some(
        Diagnostic::new(codes::PIL0009, message)
            .at(source, at.span(), format!("belongs to the item in line {}", item.number))
            .also_at(source, item.span(), "the item")
            .help(format!("begin `{key}` in column {to}")),
    )
}

/// A mapping where the line above is a text that is finished.
fn second_colon(
    source: &SourceName,
    text: &str,
    outline: &Outline<'_>,
    at: &Line<'_>,
    span: Span,
) -> Option<Diagnostic> {
    let key = at.key?;
    let line = line_of(text, span);
    let value = line.split_once(':').map_or("", |(_, value)| value).trim();
    if span.column as usize > at.key_indent + key.len() + 1 && !value.is_empty() {
        return Some(
            Diagnostic::new(
                codes::PIL0001,
                format!("the value of `{key}` contains a colon and a space"),
            )
            .at(source, span, "which begins a mapping where none can be")
            .help("put the value in quotes"),
        );
    }
    let above = outline.back().next()?;
    if at.indent <= above.indent {
        return None;
    }
    let message =
        format!("`{key}` is indented as if it belonged to the line above, which cannot hold it");
    let mut problem = Diagnostic::new(codes::PIL0009, message)
        .at(source, at.span(), "belongs elsewhere, perhaps further left")
        .also_at(source, above.span(), "this line");
    if above.dash && above.key.is_none() {
        problem = problem.note("that item of the list is a text, not a mapping");
    }
    Some(problem)
}
