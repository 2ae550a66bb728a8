//! From a text to objects and problems.

pub(crate) mod document;
mod envelope;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::check;
use crate::codes;
use crate::decode::{Decode, Decoder, UnknownFields};
use crate::diagnostic::{Diagnostic, Severity};
use crate::mesh::MeshConfig;
use crate::object::Object;
use crate::yaml::{self, Limits, NodeKind, Parsed};

/// What to assume while loading, and how much to allow.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The namespace of objects that name none.
    pub default_namespace: String,
    /// How bad a field is that an Istio kind does not know, or that stands at a wrong place. An
    /// error for what people write, as under `kubectl apply`. Less for objects that a cluster has
    /// accepted already: Istio itself ignores such fields then.
    pub unknown_fields: Severity,
    /// Bounds on the cost of one text.
    pub limits: Limits,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            default_namespace: "default".to_owned(),
            unknown_fields: Severity::Error,
            limits: Limits::default(),
        }
    }
}

/// What a text holds.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The objects that can be used, in the order of the text.
    pub objects: Vec<Object>,
    /// Objects with errors, as far as they could be read. They must not take part in traffic; the
    /// tools look at them to find further problems.
    pub broken: Vec<Object>,
    /// The problems, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// Objects of other kinds. Of those that concern traffic a problem was told.
    pub passed_over: PassedOver,
}

impl Loaded {
    /// Whether any problem is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// Applies the rules that need no other object to the objects from number `first` on. It is
    /// part of loading, so that nobody can use an object that breaks them.
    fn check(&mut self, first: usize) {
        for object in self.objects.split_off(first.min(self.objects.len())) {
            let problems = check::check(&object);
            let is_broken = problems.iter().any(Diagnostic::is_error);
            let to = if is_broken { &mut self.broken } else { &mut self.objects };
            to.push(object);
            self.diagnostics.extend(problems);
        }
    }
}

/// How many objects of which kinds were passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PassedOver {
    counts: BTreeMap<String, usize>,
}

impl PassedOver {
    /// Kinds and numbers, ordered by kind.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, usize)> {
        self.counts.iter().map(|(kind, count)| (kind.as_str(), *count))
    }

    /// The number of objects.
    #[must_use]
    pub fn total(&self) -> usize {
        self.counts.values().sum()
    }

    /// One line for people, or nothing when no object was passed over.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        if self.counts.is_empty() {
            return None;
        }
        let kinds: Vec<String> =
            self.kinds().map(|(kind, count)| format!("{count} {kind}")).collect();
        Some(format!("passed over: {}", kinds.join(", ")))
    }

    /// Adds the numbers of another text.
    pub fn merge(&mut self, other: &Self) {
        for (kind, count) in &other.counts {
            *self.counts.entry(kind.clone()).or_default() += count;
        }
    }

    fn add(&mut self, kind: &str) {
        *self.counts.entry(kind.to_owned()).or_default() += 1;
    }
}

/// Loads the objects of a text in YAML or JSON, with the usual options.
///
/// `source` is the name that problems and objects give as their origin, normally a file name.
#[must_use]
pub fn load(source: &str, text: &str) -> Loaded {
    load_with(source, text, &LoadOptions::default())
}

/// Loads the objects of a text in YAML or JSON.
///
/// Never fails as a whole: what cannot be read is among the problems, and everything else is
/// loaded.
#[must_use]
pub fn load_with(source: &str, text: &str, options: &LoadOptions) -> Loaded {
    let source: Arc<str> = source.into();
    let mut loaded = Loaded::default();
    if let Some(problem) = not_text(&source, text.as_bytes()) {
        loaded.diagnostics.push(problem);
        return loaded;
    }
    let mut untold = 0;
    yaml::parse(&source, text, &options.limits, &mut |parsed| {
        match parsed {
            Parsed::Problem(problem) => loaded.diagnostics.push(*problem),
            Parsed::Document(document) => document::load(&source, document, options, &mut loaded),
        }
        untold += loaded.diagnostics.len().saturating_sub(MOST_PROBLEMS);
        loaded.diagnostics.truncate(MOST_PROBLEMS);
    });
    if untold > 0 {
        let message = format!("{source} has {untold} more problems, which are not told");
        loaded.diagnostics.push(Diagnostic::new(codes::PIL0002, message).with_source(&source));
    }
    loaded
}

/// The most problems that are told of one text.
const MOST_PROBLEMS: usize = 10_000;

/// Loads the objects of a text that may not be valid UTF-8.
#[must_use]
pub fn load_bytes(source: &str, bytes: &[u8], options: &LoadOptions) -> Loaded {
    match std::str::from_utf8(bytes) {
        Ok(text) => load_with(source, text, options),
        Err(error) => {
            let source: Arc<str> = source.into();
            let problem = not_text(&source, bytes).unwrap_or_else(|| {
                let message = format!("{source} is not UTF-8 text");
                Diagnostic::new(codes::PIL0003, message)
                    .with_source(&source)
                    .note(format!("the first bad byte is at offset {}", error.valid_up_to()))
                    .help("save it as UTF-8")
            });
            Loaded { diagnostics: vec![problem], ..Loaded::default() }
        }
    }
}

/// A text with a zero byte is none: it is binary, or UTF-16.
fn not_text(source: &Arc<str>, bytes: &[u8]) -> Option<Diagnostic> {
    let at = bytes.iter().position(|byte| *byte == 0)?;
    Some(
        Diagnostic::new(codes::PIL0003, format!("{source} is not a text file"))
            .with_source(source)
            .note(format!("there is a zero byte at offset {at}"))
            .help("if it is compressed or encrypted, unpack it first; if it is UTF-16, save it as UTF-8"),
    )
}

/// Reads a MeshConfig in YAML or JSON. Absent fields stay absent; see
/// [`MeshConfig::with_defaults`].
#[must_use]
pub fn load_mesh_config(source: &str, text: &str) -> (MeshConfig, Vec<Diagnostic>) {
    let source: Arc<str> = source.into();
    let mut mesh = MeshConfig::default();
    let mut problems = Vec::new();
    let mut seen = false;
    yaml::parse(&source, text, &Limits::default(), &mut |parsed| match parsed {
        Parsed::Problem(problem) => problems.push(*problem),
        Parsed::Document(document) if document.node.is_null() || seen => {}
        Parsed::Document(document) => {
            seen = true;
            let mut decoder = Decoder::new(&source, UnknownFields::Skip, MeshConfig::SHAPE);
            if let NodeKind::Map(_) = document.node.kind
                && let Some(found) = MeshConfig::decode(&document.node, &mut decoder)
            {
                mesh = found;
            } else {
                decoder.wrong_type(&document.node, "a mapping with the settings of the mesh");
            }
            let (spans, found) = decoder.finish(None);
            problems.extend(found);
            problems.extend(check::check_mesh(&source, &spans));
        }
    });
    (mesh, problems)
}

#[cfg(test)]
mod tests;
