//! The texts of a bootstrap: read, checked against Envoy's messages, and merged.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilotage_config::yaml::{self, Node};
use pilotage_config::{Diagnostic, codes};
use pilotage_engine::FieldError;
use pilotage_proto::envoy::config::bootstrap::v3::Bootstrap as Proto;
use pilotage_proto::json::{self, Misfit, MisfitReason};
use pilotage_proto::{Message as _, Name as _};
use pilotage_proxy::bootstrap::Bootstrap;

use super::locate;
use crate::inputs::SourceText;

/// What a bootstrap is read from: a file, a text of the command line, or both.
#[derive(Debug)]
pub(super) struct Files(Vec<Read>);

#[derive(Debug)]
struct Read {
    name: Arc<str>,
    text: String,
    /// What it says, when it is one readable document.
    node: Option<Node>,
    problems: Vec<Diagnostic>,
}

impl Files {
    /// Parses the texts.
    pub(super) fn new(texts: Vec<SourceText>) -> Self {
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
            match read.proto() {
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
    fn find(&self, path: &str) -> Option<(&Read, pilotage_config::Span)> {
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

fn parse(source: SourceText) -> Read {
    let name: Arc<str> = source.name.into();
    let (mut nodes, mut problems) = yaml::documents(&name, &source.text);
    nodes.retain(|node| !node.is_null());
    if let Some(second) = nodes.get(1) {
        let message = "a bootstrap is one document, and here a second one begins";
        problems.push(Diagnostic::new(codes::PIL0201, message).at(&name, second.span, ""));
    } else if nodes.is_empty() && problems.is_empty() {
        let message = "there is nothing in it: a bootstrap has static_resources";
        problems.push(Diagnostic::new(codes::PIL0201, message).with_source(&name));
    }
    Read { name, text: source.text, node: nodes.into_iter().next(), problems }
}

impl Read {
    fn proto(&self) -> Result<Proto, Vec<Diagnostic>> {
        let Some(node) = self.node.as_ref().filter(|_| self.problems.is_empty()) else {
            return Err(self.problems.clone());
        };
        let value = node.to_json();
        let misfits = json::misfits(&Proto::full_name(), &value).unwrap_or_default();
        if !misfits.is_empty() {
            return Err(misfits.iter().map(|misfit| self.misfit(node, misfit)).collect());
        }
        json::from_value(&value).map_err(|error| {
            vec![Diagnostic::new(codes::PIL0201, error.to_string()).with_source(&self.name)]
        })
    }

    fn misfit(&self, node: &Node, misfit: &Misfit) -> Diagnostic {
        let steps: Vec<_> = misfit.place.iter().cloned().map(locate::At::from).collect();
        let is_key = matches!(
            misfit.reason,
            MisfitReason::UnknownField { .. }
                | MisfitReason::Exclusive { .. }
                | MisfitReason::Twice(_)
        );
        let span =
            locate::exact(node, &steps).map(|span| if is_key { span.key } else { span.value });
        let path = locate::path(&steps);
        let path = if path.is_empty() { String::new() } else { format!("{path}: ") };
        let diagnostic = Diagnostic::new(codes::PIL0201, format!("{path}{}", misfit.reason));
        let diagnostic = match span {
            Some(span) => diagnostic.at(&self.name, span, ""),
            None => diagnostic.at(&self.name, node.span, ""),
        };
        match &misfit.reason {
            MisfitReason::UnknownField { field, known, .. } => {
                let meant =
                    pilotage_config::decode::nearest(field, known.iter().map(String::as_str));
                match meant {
                    Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                    None => {
                        diagnostic.help("it may be a field of Envoy that Pilotage lacks, or a slip")
                    }
                }
            }
            _ => diagnostic,
        }
    }
}
