//! The recording that the vectors are packed from, as a folder of folders.
//!
//! It is optional: a fresh clone has the vectors only. Some of its cases are other people's YAML; they are read from
//! here where the recording is present, and are never packed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{Case, Exchange};
use crate::yaml;

/// What only steers Istio's telemetry or names statistics; no facet and no engine reads it.
const DROPPED_FIELDS: [&str; 4] =
    ["accessLog", "altStatName", "cleanupInterval", "requestIdExtension"];
/// Filters of Istio's telemetry.
const DROPPED_FILTERS: [&str; 5] = [
    "envoy.filters.http.grpc_stats",
    "istio.alpn",
    "istio.metadata_exchange",
    "istio.stats",
    "istio.workload_metadata",
];
/// The one kind of metadata that decides something: which transport socket an endpoint gets.
const KEPT_METADATA: &str = "envoy.transport_socket_match";

/// The recording beside this checkout, if there is one.
#[must_use]
pub fn recording() -> Option<PathBuf> {
    crate::shared().map(|shared| shared.join("oracle")).filter(|path| path.join("cases").is_dir())
}

/// Whether a case's YAML is other people's, so that it stays outside the repository.
#[must_use]
pub fn is_foreign(name: &str) -> bool {
    name.starts_with("real-bookinfo-") || name.starts_with("real-seed-")
}

/// The cases of `area` in `recording` that may be packed, by name.
#[must_use]
pub fn own(recording: &Path, area: &str) -> Vec<Case> {
    cases(recording, area, |name| !is_foreign(name))
}

/// The cases of `area` in `recording` that are not in the repository, by name.
#[must_use]
pub fn foreign(recording: &Path, area: &str) -> Vec<Case> {
    cases(recording, area, is_foreign)
}

fn cases(recording: &Path, area: &str, wanted: impl Fn(&str) -> bool) -> Vec<Case> {
    let mut names: Vec<String> = fs::read_dir(recording.join("cases"))
        .expect("the recording has cases")
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.split('-').next() == Some(area) && wanted(name))
        .collect();
    names.sort();
    names.iter().map(|name| case(&recording.join("cases").join(name))).collect()
}

/// The case in `folder`.
///
/// # Panics
/// When a file is missing or not of the form that the recording has.
#[must_use]
pub fn case(folder: &Path) -> Case {
    let description = yaml::value(&text(&folder.join("case.yaml"))).unwrap();
    let istio = folder.join("istio");
    let mut case = Case {
        name: folder.file_name().unwrap().to_string_lossy().into_owned(),
        title: description["title"].as_str().unwrap_or_default().to_owned(),
        fixtures: serde_json::from_value(description["fixtures"].clone()).unwrap(),
        mesh: description.get("mesh").cloned(),
        input: with_final_newline(text(&folder.join("input.yaml"))),
        proxies: serde_json::from_value(description["proxies"].clone()).unwrap(),
        verdicts: serde_json::from_value(json(&istio.join("validation.json"))).unwrap(),
        messages: messages(json(&istio.join("analyze.json"))),
        exchanges: Vec::new(),
        resources: BTreeMap::new(),
    };
    if istio.join("outcomes.json").exists() {
        let recorded = json(&istio.join("outcomes.json"));
        case.exchanges = recorded.as_array().unwrap().iter().map(exchange).collect();
    }
    for proxy in &case.proxies {
        let dump = json(&istio.join(format!("{}.json", proxy.name)));
        case.resources.insert(proxy.name.clone(), trim(dump));
    }
    case
}

/// The input is kept as lines, so each must end.
fn with_final_newline(mut text: String) -> String {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn messages(recorded: Value) -> Vec<crate::facets::Message> {
    match recorded {
        Value::Null => Vec::new(),
        other => serde_json::from_value(other).unwrap(),
    }
}

fn exchange(recorded: &Value) -> Exchange {
    let mut fields: Map<String, Value> = recorded.as_object().unwrap().clone();
    fields.shift_remove("index");
    let request = fields.shift_remove("request").unwrap();
    let destination = fields.shift_remove("destination").unwrap();
    Exchange {
        request: serde_json::from_value(request).unwrap(),
        destination: destination.as_str().unwrap().to_owned(),
        recorded: Value::Object(fields),
    }
}

/// `value` without what decides nothing.
fn trim(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .filter(|(name, _)| !DROPPED_FIELDS.contains(&name.as_str()))
                .filter_map(|(name, value)| match name.as_str() {
                    "metadata" => deciding(&value).map(|value| (name, value)),
                    _ => Some((name, trim(value))),
                })
                .collect(),
        ),
        Value::Array(items) => items.into_iter().filter(|v| !is_telemetry(v)).map(trim).collect(),
        other => other,
    }
}

fn deciding(metadata: &Value) -> Option<Value> {
    let kept = metadata.get("filterMetadata")?.get(KEPT_METADATA)?;
    Some(serde_json::json!({"filterMetadata": {KEPT_METADATA: kept}}))
}

fn is_telemetry(value: &Value) -> bool {
    let name = value.get("name").and_then(Value::as_str);
    name.is_some_and(|name| DROPPED_FILTERS.contains(&name))
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&text(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
