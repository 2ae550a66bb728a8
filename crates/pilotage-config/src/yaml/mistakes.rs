//! Explains texts that are not YAML, the common mistakes in words of their own.

use granit_parser::{ErrorKind, ScanError};

use super::build::to_span;
use super::{Entry, Limits, Node, SourceName, shorten};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// A value that begins with `*` and is no alias.
pub(super) fn not_an_alias(source: &SourceName, text: &str, name: &str, span: Span) -> Diagnostic {
    let written = span.slice(text);
    let written = if written.is_empty() { format!("*{name}") } else { written.to_owned() };
    if name.starts_with('.') || name.contains('.') || name.is_empty() {
        let message = format!(
            "`{}` is not a string here: in YAML a leading `*` means an alias",
            shorten(&written)
        );
        return Diagnostic::new(codes::PIL0007, message).at(
            source,
            span,
            format!("quote it: \"{written}\""),
        );
    }
    let message = format!("there is no anchor `&{}` in this document", shorten(name));
    Diagnostic::new(codes::PIL0008, message)
        .at(source, span, "this alias refers to nothing")
        .help(format!("to mean the text, quote it: \"{written}\""))
}

/// An alias inside the value that it stands for.
pub(super) fn circular_alias(source: &SourceName, text: &str, span: Span) -> Diagnostic {
    let message = format!("the alias `{}` contains itself", shorten(span.slice(text)));
    Diagnostic::new(codes::PIL0008, message).at(source, span, "inside the value that it repeats")
}

/// A key that is a list or a mapping.
pub(super) fn complex_key(source: &SourceName, node: &Node) -> Diagnostic {
    Diagnostic::new(
        codes::PIL0001,
        format!("a key has to be text, and this is {}", node.describe()),
    )
    .at(source, node.span, "used as a key")
    .help("a value in braces, such as {{ .Values.host }}, is a template; render it first")
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
    let span = to_span(error.marker(), error.marker());
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => Diagnostic::new(
            codes::PIL0002,
            format!("the document is nested more deeply than {} levels", limits.depth),
        )
        .at(source, span, "too deep"),
        _ => {
            let _ = text;
            Diagnostic::new(codes::PIL0001, format!("not well-formed YAML: {}", error.kind()))
                .at(source, span, "")
        }
    }
}
