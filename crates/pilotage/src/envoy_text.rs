//! A text that holds one message of Envoy, and where in it each field stands.

pub(crate) mod locate;

use std::sync::Arc;

use pilotage_config::decode::nearest;
use pilotage_config::yaml::{self, Node};
use pilotage_config::{Code, Diagnostic, Span};
use pilotage_proto::json::{self, Misfit, MisfitReason};
use pilotage_proto::{Message, Name};
use serde_json::{Map, Value};

use crate::inputs::SourceText;

/// A text, parsed.
#[derive(Debug)]
pub(crate) struct EnvoyText {
    /// What it is called.
    pub(crate) name: Arc<str>,
    /// What it says.
    pub(crate) text: String,
    /// The same as a tree, when it is one readable document.
    pub(crate) node: Option<Node>,
    problems: Vec<Diagnostic>,
    /// The code of problems with it.
    code: Code,
}

impl EnvoyText {
    /// Parses `source`. Problems with it have `code`; `one` says what it should be one of, and `begins` what is in it.
    pub(crate) fn parse(source: SourceText, code: Code, one: &str, begins: &str) -> Self {
        let name: Arc<str> = source.name.into();
        let (mut nodes, mut problems) = yaml::documents(&name, &source.text);
        nodes.retain(|node| !node.is_null());
        if let Some(second) = nodes.get(1) {
            let message = format!("{one} is one document, and here a second one begins");
            problems.push(Diagnostic::new(code, message).at(&name, second.span, ""));
        } else if nodes.is_empty() && problems.is_empty() {
            let message = format!("there is nothing in it: {one} has {begins}");
            problems.push(Diagnostic::new(code, message).with_source(&name));
        }
        Self { name, text: source.text, node: nodes.into_iter().next(), problems, code }
    }

    /// The message.
    ///
    /// # Errors
    /// When the text is broken or does not fit the message.
    pub(crate) fn message<M: Message + Name + Default>(&self) -> Result<M, Vec<Diagnostic>> {
        let Some(node) = self.node.as_ref().filter(|_| self.problems.is_empty()) else {
            return Err(self.problems.clone());
        };
        let mut value = node.to_json();
        plain_durations(&mut value);
        let misfits = json::misfits(&M::full_name(), &value).unwrap_or_default();
        if !misfits.is_empty() {
            return Err(misfits.iter().map(|misfit| self.misfit(node, misfit)).collect());
        }
        json::from_value(&value).map_err(|error| {
            vec![Diagnostic::new(self.code, error.to_string()).with_source(&self.name)]
        })
    }

    /// The place of the field at `path`, or of the innermost thing around it that the text holds.
    pub(crate) fn nearest(&self, path: &str) -> Span {
        let Some(node) = &self.node else { return Span::default() };
        let steps = locate::steps(path);
        let mut lengths = (1..=steps.len()).rev();
        let found = lengths.find_map(|length| locate::exact(node, steps.get(..length)?));
        found.map_or(node.span, |span| span.value)
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
        let diagnostic = Diagnostic::new(self.code, format!("{path}{}", misfit.reason));
        let diagnostic = match span {
            Some(span) => diagnostic.at(&self.name, span, ""),
            None => diagnostic.at(&self.name, node.span, ""),
        };
        match &misfit.reason {
            MisfitReason::UnknownField { field, known, .. } => {
                let renamed = RENAMED.iter().find(|(former, _)| former == field);
                let renamed =
                    renamed.map(|(_, name)| *name).filter(|name| known.iter().any(|k| k == name));
                let alike = || nearest(field, known.iter().map(String::as_str));
                match renamed.or_else(alike) {
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

/// Fields of Envoy's API of version 2 and what they are called in version 3, where another name is more like them.
const RENAMED: [(&str, &str); 2] =
    [("host_rewrite", "host_rewrite_literal"), ("auto_host_rewrite_header", "host_rewrite_header")];

/// Envoy reads `{seconds: 30}` where protobuf-JSON wants `30s`.
fn plain_durations(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(plain_durations),
        Value::Object(fields) => {
            if let Some(text) = duration(fields) {
                *value = Value::String(text);
            } else {
                fields.values_mut().for_each(plain_durations);
            }
        }
        _ => {}
    }
}

fn duration(fields: &Map<String, Value>) -> Option<String> {
    let known = |key: &String| matches!(key.as_str(), "seconds" | "nanos");
    if fields.is_empty() || !fields.keys().all(known) {
        return None;
    }
    let number = |key| fields.get(key).map_or(Some(0), Value::as_u64);
    let (seconds, nanos) = (number("seconds")?, number("nanos")?);
    Some(format!("{seconds}.{nanos:09}s"))
}

#[cfg(test)]
mod tests {
    use pilotage_config::codes;
    use pilotage_proto::envoy::config::route::v3::RouteAction;

    use super::EnvoyText;
    use crate::inputs::SourceText;

    #[test]
    fn durations_may_be_written_as_messages() {
        let text = "cluster: a\ntimeout: {seconds: 30, nanos: 5}\nidle_timeout: 2s\n".to_owned();
        let source = SourceText { name: "x".into(), text };
        let text = EnvoyText::parse(source, codes::PIL0204, "x", "y");
        let action: RouteAction = text.message().unwrap();
        let timeout = action.timeout.unwrap();
        assert_eq!((timeout.seconds, timeout.nanos), (30, 5));
        assert_eq!(action.idle_timeout.unwrap().seconds, 2);
    }

    #[test]
    fn former_names_of_fields_are_told_from_slips() {
        let help = |field: &str| {
            let text = format!("cluster: a\n{field}: b\n");
            let source = SourceText { name: "x".into(), text };
            let problems = EnvoyText::parse(source, codes::PIL0204, "x", "y");
            problems.message::<RouteAction>().unwrap_err().remove(0).help.unwrap()
        };
        assert_eq!(help("host_rewrite"), "did you mean `host_rewrite_literal`?");
        assert_eq!(help("auto_host_rewrite_header"), "did you mean `host_rewrite_header`?");
        assert_eq!(help("host_rewrite_heder"), "did you mean `host_rewrite_header`?");
    }
}
