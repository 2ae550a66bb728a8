//! The texts of a bootstrap: read, checked against Envoy's messages, and merged.

use std::collections::BTreeMap;

use pilotage_config::{Diagnostic, codes};
use pilotage_engine::FieldError;
use pilotage_proto::Message as _;
use pilotage_proto::envoy::config::bootstrap::v3::Bootstrap as Proto;
use pilotage_proxy::bootstrap::Bootstrap;

use crate::envoy_text::{EnvoyText, locate};
use crate::inputs::SourceText;

/// What a bootstrap is read from: a file, a text of the command line, or both.
#[derive(Debug)]
pub(super) struct Files(Vec<EnvoyText>);

impl Files {
    /// Parses the texts.
    pub(super) fn new(texts: Vec<SourceText>) -> Self {
        let parse =
            |source| EnvoyText::parse(source, codes::PIL0201, "a bootstrap", "static_resources");
        Self(texts.into_iter().map(parse).collect())
    }

    /// The name of the first text.
    pub(super) fn name(&self) -> &str {
        self.0.first().map_or("", |read| &read.name)
    }

    /// The texts by name.
    pub(super) fn sources(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|read| (read.name.to_string(), read.text.clone())).collect()
    }

    /// The bootstrap of all texts, later ones merged over earlier ones, and what it asks for that is not done.
    ///
    /// # Errors
    /// When a text is broken or does not fit the messages.
    pub(super) fn bootstrap(&self) -> Result<(Bootstrap, Vec<FieldError>), Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let mut merged = Proto::default();
        for read in &self.0 {
            match read.message::<Proto>() {
                // Merging with what was encoded just now cannot fail.
                Ok(proto) => drop(merged.merge(proto.encode_to_vec().as_slice())),
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() { Ok(Bootstrap::read(&merged)) } else { Err(problems) }
    }

    /// `problem` with the line that it is about.
    pub(super) fn unsupported(&self, problem: &FieldError) -> Diagnostic {
        let FieldError { path, message } = problem;
        let diagnostic = Diagnostic::new(codes::PIL0202, format!("{path}: {message}"));
        match self.find(path) {
            Some((read, span)) => diagnostic.at(&read.name, span, ""),
            None => self.0.iter().take(1).fold(diagnostic, |d, read| d.with_source(&read.name)),
        }
    }

    /// `file:line:column` of the field at `path`, or of what holds it.
    pub(super) fn line(&self, path: &str) -> Option<String> {
        let (read, span) = self.find(path)?;
        Some(format!("{}:{}:{}", read.name, span.line, span.column))
    }

    /// Lists of later texts are appended to those of earlier ones: each text has its share of the numbers.
    fn find(&self, path: &str) -> Option<(&EnvoyText, pilotage_config::Span)> {
        let mut steps = locate::steps(path);
        for read in &self.0 {
            let Some(node) = &read.node else { continue };
            match locate::find(node, &steps) {
                Ok(span) => return Some((read, span)),
                Err(passed) => locate::pass_over(&mut steps, passed),
            }
        }
        None
    }
}
