//! Diagnostics with the lines they are about.

use std::collections::BTreeMap;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use pilotage_config::{Diagnostic, Label, Severity};

/// `problem` for people, with colours, which [`print_text`](super::print_text) takes out where they are not wanted.
/// Lines come from `sources`, texts by name.
pub(crate) fn diagnostic(problem: &Diagnostic, sources: &BTreeMap<String, String>) -> String {
    let level = match problem.severity {
        Severity::Info => Level::INFO,
        Severity::Warning => Level::WARNING,
        Severity::Error => Level::ERROR,
    };
    let mut group =
        Group::with_title(level.primary_title(problem.message.as_str()).id(problem.code.id()));
    for (name, text) in sources {
        if let Some(snippet) = snippet(problem, name, text) {
            group = group.element(snippet);
        }
    }
    for note in &problem.notes {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    Renderer::styled().render(&[group])
}

/// The lines of one source, with the problem's labels in it.
fn snippet<'a>(
    problem: &'a Diagnostic,
    name: &'a str,
    text: &'a str,
) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let of_source = |label: &&Label| label.source.as_ref() == name && !label.hidden;
    let primary = problem.primary.iter().filter(of_source).map(|l| (AnnotationKind::Primary, l));
    let further = problem.secondary.iter().filter(of_source).map(|l| (AnnotationKind::Context, l));
    let mut labels = primary.chain(further).peekable();
    labels.peek()?;
    let annotations = labels.filter_map(|(kind, label)| {
        let range = label.span.start as usize..label.span.end as usize;
        // A label that does not fit the text (it was read differently) is left out.
        text.get(range.clone())?;
        Some(kind.span(range).label(label.text.as_str()))
    });
    Some(Snippet::source(text).path(name).fold(true).annotations(annotations))
}
