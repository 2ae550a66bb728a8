//! Problems in the forms of `istioctl analyze`: lines, JSON and YAML, in its words and its order.

use std::collections::BTreeSet;

use pilotage_config::{Code, Diagnostic, Severity, codes};
use serde_json::{Value, json};

use crate::output::OutputError;

/// Where Istio explains its codes; the code and a slash follow.
const ISTIO_DOCS: &str = "https://istio.io/latest/docs/reference/config/analysis/";

/// A message as istioctl has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    code: Code,
    severity: Severity,
    text: String,
    /// `Kind namespace/name`; the name of the file for what is no object.
    origin: String,
    /// `file:line`; empty when unknown.
    reference: String,
}

/// The messages by severity (errors first), code, origin and text.
///
/// Istio gives all findings of its validation the line of the object and drops those that then read the same; ours have
/// lines of their own, and are dropped for the same reason.
fn messages(problems: &[Diagnostic]) -> Vec<Message> {
    let mut messages: Vec<Message> = problems.iter().flat_map(of).collect();
    messages.sort_by(|a, b| {
        let key = |m: &Message| (std::cmp::Reverse(m.severity), m.code);
        key(a).cmp(&key(b)).then_with(|| (&a.origin, &a.text).cmp(&(&b.origin, &b.text)))
    });
    let mut seen = BTreeSet::new();
    messages.retain(|message| {
        let of_object = [codes::IST0106, codes::IST0133].contains(&message.code);
        let reference = if of_object { "" } else { &message.reference };
        let known = [&message.origin, &message.text, reference].map(str::to_owned);
        seen.insert((message.code, known))
    });
    messages
}

fn of(problem: &Diagnostic) -> Vec<Message> {
    let place = problem.primary.as_ref();
    let origin = match (&problem.object, place) {
        (Some(object), _) => object.to_string(),
        (None, Some(label)) => label.source.to_string(),
        (None, None) => String::new(),
    };
    let reference = match place {
        Some(label) if label.span.is_known() => format!("{}:{}", label.source, label.span.line),
        Some(label) => label.source.to_string(),
        None => String::new(),
    };
    let message = |text: String| Message {
        code: problem.code,
        severity: problem.severity,
        text,
        origin: origin.clone(),
        reference: reference.clone(),
    };
    if problem.istio.is_empty() {
        return vec![message(own_words(problem))];
    }
    problem.istio.iter().cloned().map(message).collect()
}

/// Our sentence, with what Istio puts before the findings of its validation.
fn own_words(problem: &Diagnostic) -> String {
    let message = &problem.message;
    if problem.code == codes::IST0106 {
        format!("Schema validation error: {message}")
    } else if problem.code == codes::IST0133 {
        format!("Schema validation warning: {message}")
    } else {
        message.clone()
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "Info",
        Severity::Warning => "Warning",
        Severity::Error => "Error",
    }
}

/// Where a code is explained.
pub(crate) fn documentation(code: Code) -> String {
    let id = code.id().to_ascii_lowercase();
    if id.starts_with("ist") {
        format!("{ISTIO_DOCS}{id}/?ref=istioctl-analyze")
    } else {
        let repository = env!("CARGO_PKG_REPOSITORY");
        format!("{repository}/blob/main/docs/codes/{}.md", code.id())
    }
}

/// A line for each message.
pub(super) fn log(problems: &[Diagnostic]) -> String {
    const RESET: &str = "\u{1b}[0m";
    let mut text = String::new();
    for message in messages(problems) {
        let color = match message.severity {
            Severity::Info => "",
            Severity::Warning => "\u{1b}[33m",
            Severity::Error => "\u{1b}[1;31m",
        };
        let place = if message.reference.is_empty() || message.reference == message.origin {
            message.origin
        } else {
            format!("{} {}", message.origin, message.reference)
        };
        let (level, code) = (level(message.severity), message.code);
        text.push_str(&format!("{color}{level}{RESET} [{code}] ({place}) {}\n", message.text));
    }
    if text.is_empty() {
        text.push_str("✔ No validation issues found.\n");
    }
    text
}

fn value(problems: &[Diagnostic]) -> Value {
    let all = messages(problems).into_iter().map(|message| {
        let mut value = json!({
            "code": message.code.id(),
            "documentationUrl": documentation(message.code),
            "level": level(message.severity),
            "message": message.text,
            "origin": message.origin,
        });
        if let (false, Some(fields)) = (message.reference.is_empty(), value.as_object_mut()) {
            fields.insert("reference".to_owned(), message.reference.into());
        }
        value
    });
    Value::Array(all.collect())
}

/// A JSON array, indented as istioctl does.
///
/// # Errors
/// When JSON cannot be written.
pub(super) fn json(problems: &[Diagnostic]) -> Result<String, OutputError> {
    use serde::Serialize as _;

    let value = value(problems);
    let mut bytes = Vec::new();
    let indented = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, indented))?;
    bytes.push(b'\n');
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The same as YAML.
///
/// # Errors
/// When it cannot be written.
pub(super) fn yaml(problems: &[Diagnostic]) -> Result<String, OutputError> {
    crate::output::yaml_text(&value(problems))
}
