//! The field ledger: every leaf field of every kind of Istio's API, and what Pilotage does with it.
//!
//! `docs/field-ledger.tsv` has one line for each: kind, path, status, and where to read on. Statuses are
//!
//! - `implemented`, with the page of `docs/spec/` that shows it;
//! - `recorded`, with the area of the vectors that uses it and is compared with Istio's answers, while there is no page;
//! - `warned` and `rejected`, with the code of the diagnostic that says so;
//! - `planned`, with the code of the diagnostic that says that the field has no effect yet;
//! - `outside`, with `differences.md`, which names the field, or the one that it is part of, and says why nothing comes of it;
//! - `unproven`, with `-`: nothing shows what it does.

use std::collections::BTreeMap;
use std::fmt;

use pilotage_config::schema::{MessageSchema, Shape};
use pilotage_config::{
    destination_rule, gateway, mesh, security, service_entry, sidecar, virtual_service,
    workload_entry, workload_group,
};
use serde_json::Value;

use crate::vectors::oracle::is_foreign;
use crate::vectors::{self, AREAS};
use crate::yaml;

/// The kinds of the ledger.
const KINDS: [(&str, &MessageSchema); 11] = [
    ("VirtualService", virtual_service::VirtualService::SCHEMA),
    ("DestinationRule", destination_rule::DestinationRule::SCHEMA),
    ("Gateway", gateway::Gateway::SCHEMA),
    ("ServiceEntry", service_entry::ServiceEntry::SCHEMA),
    ("WorkloadEntry", workload_entry::WorkloadEntry::SCHEMA),
    ("WorkloadGroup", workload_group::WorkloadGroup::SCHEMA),
    ("Sidecar", sidecar::Sidecar::SCHEMA),
    ("ProxyConfig", mesh::ProxyConfigObject::SCHEMA),
    ("PeerAuthentication", security::PeerAuthentication::SCHEMA),
    ("RequestAuthentication", security::RequestAuthentication::SCHEMA),
    ("MeshConfig", mesh::MeshConfig::SCHEMA),
];

/// The leaf fields of the API in its own order: kind and path, `[]` standing for list entries and `{}` for map values.
#[must_use]
pub fn leaves() -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for (kind, schema) in KINDS {
        let root = if kind == "MeshConfig" { "" } else { "spec" };
        Shape::Message(schema).leaves(root, &mut |path| {
            found.push((kind, path.trim_start_matches('.').to_owned()));
        });
    }
    found
}

/// A line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The kind.
    pub kind: String,
    /// The path of the leaf.
    pub path: String,
    /// `implemented`, `recorded`, `warned`, `rejected`, `planned`, `outside` or `unproven`.
    pub status: String,
    /// A page below `docs/`, an area, a code, or `-`.
    pub reference: String,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\t{}\t{}\t{}", self.kind, self.path, self.status, self.reference)
    }
}

/// The lines of `text`; a line of another form is an error.
///
/// # Errors
/// The number of the line and what is wrong with it.
pub fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
    lines
        .map(|(index, line)| {
            let columns: Vec<&str> = line.split('\t').collect();
            let [kind, path, status, reference] = columns[..] else {
                return Err(format!("line {}: four columns are expected", index + 1));
            };
            let [kind, path, status, reference] =
                [kind, path, status, reference].map(str::to_owned);
            Ok(Entry { kind, path, status, reference })
        })
        .collect()
}

/// Whether a text names a field, or as a code span of its own one that it is part of.
fn is_named(path: &str, text: &str) -> bool {
    let outer = path.match_indices('.').filter_map(|(end, _)| path.get(..end));
    text.contains(path) || outer.into_iter().any(|outer| text.contains(&format!("`{outer}`")))
}

/// What is wrong with `entries`: missing and unknown fields, pages and codes that do not exist.
#[must_use]
pub fn findings(entries: &[Entry]) -> Vec<String> {
    let docs = crate::root().join("docs");
    let differences = std::fs::read_to_string(docs.join("differences.md")).unwrap_or_default();
    let mut findings = Vec::new();
    let mut known: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for entry in entries {
        *known.entry((&entry.kind, &entry.path)).or_default() += 1;
        let reference = entry.reference.as_str();
        let is_code = pilotage_config::Code::find(reference).is_some();
        let fits = match entry.status.as_str() {
            "implemented" => reference.starts_with("spec/") && docs.join(reference).is_file(),
            "recorded" => AREAS.iter().any(|(area, _)| *area == reference),
            "warned" | "rejected" | "planned" => is_code,
            "outside" => reference == "differences.md" && is_named(&entry.path, &differences),
            "unproven" => reference == "-",
            _ => false,
        };
        if !fits {
            findings.push(format!("{entry}: no such status, page or code"));
        }
    }
    let leaves = leaves();
    for (kind, path) in &leaves {
        match known.remove(&(*kind, path.as_str())) {
            None => findings.push(format!("{kind} {path} is missing")),
            Some(1) => {}
            Some(times) => findings.push(format!("{kind} {path} stands {times} times")),
        }
    }
    findings.extend(known.keys().map(|(kind, path)| format!("{kind} {path} is no field")));
    findings
}

/// The `recorded` entries whose field no object of their area has.
///
/// # Panics
/// When the vectors cannot be read.
#[must_use]
pub fn unused(entries: &[Entry]) -> Vec<String> {
    let mut findings = Vec::new();
    for (area, _) in AREAS {
        let mut objects: Vec<(String, Value)> = Vec::new();
        for case in vectors::area(area).into_iter().filter(|case| !is_foreign(&case.name)) {
            for object in yaml::documents(&case.input).unwrap_or_default() {
                objects.push((object["kind"].as_str().unwrap_or_default().to_owned(), object));
            }
            objects.extend(case.mesh.map(|mesh| ("MeshConfig".to_owned(), mesh)));
        }
        let recorded = entries.iter().filter(|e| e.status == "recorded" && e.reference == area);
        let has = |entry: &&Entry| {
            let mut of_kind = objects.iter().filter(|(kind, _)| *kind == entry.kind);
            of_kind.any(|(_, object)| leads_somewhere(object, &entry.path))
        };
        findings.extend(recorded.filter(|e| !has(e)).map(|e| format!("{e}: no case has it")));
    }
    findings
}

/// Whether `path` of the ledger leads to a value in `object`.
fn leads_somewhere(object: &Value, path: &str) -> bool {
    let (segment, rest) = path.split_once('.').unwrap_or((path, ""));
    let name = segment.trim_end_matches(['[', ']', '{', '}']);
    let Some(value) = object.get(name) else { return false };
    let goes_on = |value: &Value| rest.is_empty() || leads_somewhere(value, rest);
    match (&segment[name.len()..], value) {
        ("", value) => goes_on(value),
        ("[]", Value::Array(items)) => items.iter().any(goes_on),
        ("{}", Value::Object(fields)) => fields.values().any(goes_on),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, findings, leaves, parse};

    fn unproven() -> Vec<Entry> {
        let entry = |(kind, path): (&str, String)| Entry {
            kind: kind.into(),
            path,
            status: "unproven".into(),
            reference: "-".into(),
        };
        leaves().into_iter().map(entry).collect()
    }

    #[test]
    fn a_complete_ledger_has_no_findings_and_reads_back() {
        let entries = unproven();
        assert_eq!(findings(&entries), [""; 0]);
        let text: Vec<String> = entries.iter().map(ToString::to_string).collect();
        assert_eq!(parse(&text.join("\n")).unwrap(), entries);
    }

    #[test]
    fn each_kind_of_mistake_is_found() {
        let mut entries = unproven();
        let gone = entries.remove(0);
        entries[0].status = "done".into();
        entries[1].status = "implemented".into();
        entries[1].reference = "spec/no-such-page.md".into();
        entries[2].status = "warned".into();
        entries[2].reference = "IST9999".into();
        entries[3].path = "spec.unheardOf".into();
        let repeated = entries[4].clone();
        entries.push(repeated);
        let found = findings(&entries).join("\n");
        for part in
            [&gone.path, "done", "no-such-page", "IST9999", "unheardOf is no field", "2 times"]
        {
            assert!(found.contains(part), "{part} is not in\n{found}");
        }
    }
}
