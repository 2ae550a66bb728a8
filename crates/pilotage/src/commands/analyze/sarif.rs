//! Problems as SARIF 2.1.0, which code scanning and editors read.

use std::collections::{BTreeMap, BTreeSet};

use pilotage_config::{Code, Diagnostic, Label, Severity};
use serde_json::{Map, Value, json};

use super::istioctl::documentation;
use crate::output::OutputError;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// A log with one run.
///
/// # Errors
/// When JSON cannot be written.
pub(super) fn report(
    problems: &[Diagnostic],
    sources: &BTreeMap<String, String>,
) -> Result<String, OutputError> {
    let codes: BTreeSet<Code> = problems.iter().map(|problem| problem.code).collect();
    let codes: Vec<Code> = codes.into_iter().collect();
    let results: Vec<Value> = problems.iter().map(|p| result(p, &codes, sources)).collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "pilotage",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": codes.iter().copied().map(rule).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    Ok(serde_json::to_string_pretty(&log)? + "\n")
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.id(),
        "name": code.name(),
        "shortDescription": {"text": code.name()},
        "fullDescription": {"text": code.explanation()},
        "help": {"text": code.explanation()},
        "helpUri": documentation(code),
        "defaultConfiguration": {"level": level(code.severity())},
    })
}

fn result(problem: &Diagnostic, codes: &[Code], sources: &BTreeMap<String, String>) -> Value {
    let mut text = problem.message.clone();
    for line in problem.notes.iter().chain(&problem.help) {
        text.push('\n');
        text.push_str(line);
    }
    let mut result = Map::new();
    result.insert("ruleId".to_owned(), problem.code.id().into());
    let index = codes.iter().position(|code| *code == problem.code);
    result.extend(index.map(|index| ("ruleIndex".to_owned(), index.into())));
    result.insert("level".to_owned(), level(problem.severity).into());
    result.insert("message".to_owned(), json!({"text": text}));
    let mut location = Map::new();
    if let Some(label) = &problem.primary {
        location.insert("physicalLocation".to_owned(), physical(label, sources));
    }
    if let Some(object) = &problem.object {
        let path = problem.path.as_ref().map_or("", |path| path.as_str());
        let name = format!("{object} {path}");
        let name = name.trim_end();
        location.insert("logicalLocations".to_owned(), json!([{"fullyQualifiedName": name}]));
    }
    if !location.is_empty() {
        result.insert("locations".to_owned(), json!([location]));
    }
    if !problem.secondary.is_empty() {
        let related = problem.secondary.iter().map(|label| {
            json!({"physicalLocation": physical(label, sources), "message": {"text": label.text}})
        });
        result.insert("relatedLocations".to_owned(), related.collect());
    }
    Value::Object(result)
}

fn physical(label: &Label, sources: &BTreeMap<String, String>) -> Value {
    let mut place = Map::new();
    place.insert("artifactLocation".to_owned(), json!({"uri": uri(&label.source)}));
    if let Some(region) = Region::of(label, sources) {
        place.insert(
            "region".to_owned(),
            json!({
                "startLine": region.line,
                "startColumn": region.column,
                "endColumn": region.end_column,
            }),
        );
    }
    Value::Object(place)
}

/// A place within one line, in characters from 1; the last column is the one after it.
pub(super) struct Region {
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) end_column: u32,
}

impl Region {
    /// Where a label is, if it is in a text. Labels on several lines are cut to the first.
    pub(super) fn of(label: &Label, sources: &BTreeMap<String, String>) -> Option<Self> {
        let span = label.span;
        if !span.is_known() {
            return None;
        }
        let text = sources.get(&*label.source).map_or("", |text| span.slice(text));
        let width = text.lines().next().unwrap_or_default().chars().count().max(1);
        let end_column = span.column.saturating_add(u32::try_from(width).unwrap_or(u32::MAX));
        Some(Self { line: span.line, column: span.column, end_column })
    }
}

/// A path as a relative or `file:` reference.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let mut uri = String::new();
    if path.starts_with('/') {
        uri.push_str("file://");
    }
    for byte in path.strip_prefix("./").unwrap_or(path).bytes() {
        if plain(byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn paths_become_references() {
        assert_eq!(uri("./mesh/a b.yaml"), "mesh/a%20b.yaml");
        assert_eq!(uri("/tmp/ä.yaml"), "file:///tmp/%C3%A4.yaml");
    }
}
