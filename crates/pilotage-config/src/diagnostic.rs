//! Problems as values.

mod json;
mod render;

pub use render::{RenderOptions, Sources};

use std::fmt;
use std::sync::Arc;

use crate::codes::Code;
use crate::field_path::FieldPath;
use crate::span::Span;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Info,
    /// Probably not what was meant; the object is used.
    Warning,
    /// The object cannot be used as written.
    Error,
}

impl Severity {
    /// The lower-case English word: `info`, `warning`, `error`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A place in a source text and what to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The name of the source: a file name, or what the caller gave for it.
    pub source: Arc<str>,
    /// The place.
    pub span: Span,
    /// What to say there, in a few words; may be empty.
    pub text: String,
    /// The line must not be shown, because it may hold a secret.
    pub hidden: bool,
}

/// The object a problem is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    /// The kind, for instance `VirtualService`.
    pub kind: Arc<str>,
    /// The namespace; empty for kinds without one.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

/// A problem: what, where, why, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The stable code.
    pub code: Code,
    /// How bad it is, normally as the table of codes says.
    pub severity: Severity,
    /// One sentence that says what is wrong.
    pub message: String,
    /// The same in the words of Istio's analyzers, where they have a message for it: scripts look for those. Istio
    /// sometimes takes several messages for what is one problem here.
    pub istio: Vec<String>,
    /// The object, when the problem is about one.
    pub object: Option<ObjectRef>,
    /// The field, when the problem is about one.
    pub path: Option<FieldPath>,
    /// The place that the problem is about; nothing when no text is known.
    pub primary: Option<Label>,
    /// Further places that belong to the explanation.
    pub secondary: Vec<Label>,
    /// Further facts, one a line.
    pub notes: Vec<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A problem with the severity of its code and no place yet.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            istio: Vec::new(),
            object: None,
            path: None,
            primary: None,
            secondary: Vec::new(),
            notes: Vec::new(),
            help: None,
        }
    }

    /// Sets the severity, where it differs from the usual one of the code.
    #[must_use]
    pub fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Adds a message of Istio's analyzers that says the same.
    #[must_use]
    pub fn istio(mut self, text: impl Into<String>) -> Self {
        self.istio.push(text.into());
        self
    }

    /// Sets the place.
    #[must_use]
    pub fn at(mut self, source: &Arc<str>, span: Span, text: impl Into<String>) -> Self {
        self.primary = Some(Label::new(source, span, text));
        self
    }

    /// Names the source, where the problem is with all of it.
    #[must_use]
    pub fn with_source(self, source: &Arc<str>) -> Self {
        self.at(source, Span::default(), "")
    }

    /// Adds a further place.
    #[must_use]
    pub fn also_at(mut self, source: &Arc<str>, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label::new(source, span, text));
        self
    }

    /// Names the field.
    #[must_use]
    pub fn on_field(mut self, path: FieldPath) -> Self {
        self.path = Some(path);
        self
    }

    /// Names the object.
    #[must_use]
    pub fn about(mut self, object: ObjectRef) -> Self {
        self.object = Some(object);
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether the object cannot be used.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl Label {
    /// A label on a line that may be shown.
    #[must_use]
    pub fn new(source: &Arc<str>, span: Span, text: impl Into<String>) -> Self {
        Self { source: Arc::clone(source), span, text: text.into(), hidden: false }
    }
}

/// The one-line form: `file:line:column: severity[code]: message`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Label { source, span, .. }) = &self.primary {
            if span.is_known() {
                write!(f, "{source}:{}:{}: ", span.line, span.column)?;
            } else {
                write!(f, "{source}: ")?;
            }
        }
        write!(f, "{}[{}]: {}", self.severity, self.code.id(), self.message)
    }
}
