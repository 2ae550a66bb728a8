//! Test files as protobuf text, in the tree that YAML would have been.
//!
//! What the text does not say is known of the messages of test files: which fields are lists, which are wrapped values,
//! durations or structures, all of which protobuf-JSON writes in another way.

mod read;

use std::sync::Arc;

use pilotage_config::Diagnostic;
use pilotage_config::yaml::{Entry, Node, NodeKind};

/// What the names of such files end with, as Envoy has it.
const ENDING: &str = ".pb_text";

/// Fields that are lists, even if they are written once.
const LISTS: [&str; 10] = [
    "tests",
    "additional_request_headers",
    "additional_response_headers",
    "additional_headers",
    "dynamic_metadata",
    "request_header_matches",
    "response_header_matches",
    "request_header_fields",
    "response_header_fields",
    "route_metadata",
];

/// Fields that hold a wrapped value: `cluster_name: { value: "a" }`.
const WRAPPED: [&str; 7] = [
    "cluster_name",
    "virtual_cluster_name",
    "virtual_host_name",
    "host_rewrite",
    "path_rewrite",
    "path_redirect",
    "code_redirect",
];

/// Whether the file `name` is one.
pub(super) fn is(name: &str) -> bool {
    name.ends_with(ENDING)
}

/// The message that is written in `text`, the content of the file `name`.
pub(super) fn document(name: &Arc<str>, text: &str) -> (Vec<Node>, Vec<Diagnostic>) {
    match read::message(name, text) {
        Ok(mut node) => {
            translate(&mut node);
            (vec![node], Vec::new())
        }
        Err(problem) => (Vec::new(), vec![*problem]),
    }
}

/// Puts together what is written several times, and takes away what JSON does not write.
fn translate(node: &mut Node) {
    let entries = match &mut node.kind {
        NodeKind::Seq(items) => return items.iter_mut().for_each(translate),
        NodeKind::Map(entries) => std::mem::take(entries),
        _ => return,
    };
    let mut all: Vec<Entry> = Vec::new();
    for mut entry in entries {
        if LISTS.contains(&&*entry.key) && !matches!(entry.value.kind, NodeKind::Seq(_)) {
            let span = entry.value.span;
            let item = std::mem::replace(&mut entry.value, Node { kind: NodeKind::Null, span });
            entry.value.kind = NodeKind::Seq(vec![item]);
        }
        match (all.iter_mut().find(|known| known.key == entry.key), entry.value.kind) {
            (Some(Entry { value: Node { kind: NodeKind::Seq(known), .. }, .. }), kind) => {
                match kind {
                    NodeKind::Seq(more) => known.extend(more),
                    kind => known.push(Node { kind, span: entry.value.span }),
                }
            }
            (_, kind) => {
                entry.value.kind = kind;
                all.push(entry);
            }
        }
    }
    for entry in &mut all {
        match &*entry.key {
            name if WRAPPED.contains(&name) => unwrap(&mut entry.value),
            "timeout" => duration(&mut entry.value),
            "dynamic_metadata" => {
                let NodeKind::Seq(items) = &mut entry.value.kind else { continue };
                for item in items {
                    let NodeKind::Map(fields) = &mut item.kind else { continue };
                    fields.iter_mut().filter(|field| &*field.key == "value").for_each(|field| {
                        structure(&mut field.value);
                    });
                }
            }
            _ => translate(&mut entry.value),
        }
    }
    node.kind = NodeKind::Map(all);
}

fn unwrap(node: &mut Node) {
    if let NodeKind::Map(fields) = &node.kind
        && let [field] = fields.as_slice()
        && &*field.key == "value"
    {
        node.kind = field.value.kind.clone();
    }
}

/// `seconds` and `nanos` as the text of a duration.
fn duration(node: &mut Node) {
    let NodeKind::Map(_) = node.kind else { return };
    let number = |name| match node.get(name).map(|value| &value.kind) {
        Some(NodeKind::Int(raw)) => raw.parse::<u64>().ok(),
        None => Some(0),
        Some(_) => None,
    };
    if let (Some(seconds), Some(nanos)) = (number("seconds"), number("nanos")) {
        node.kind = NodeKind::String(format!("{seconds}.{nanos:09}s").into());
    }
}

/// A `google.protobuf.Struct`: `fields { key: "a" value { string_value: "b" } }`.
fn structure(node: &mut Node) {
    let NodeKind::Map(written) = &node.kind else { return };
    let fields = written.iter().filter(|entry| &*entry.key == "fields");
    let fields = fields.flat_map(|entry| match &entry.value.kind {
        NodeKind::Seq(items) => items.as_slice(),
        _ => std::slice::from_ref(&entry.value),
    });
    let mut all = Vec::new();
    for field in fields {
        let Some(key) = field.entry("key") else { continue };
        let Some(name) = key.value.as_str() else { continue };
        let span = field.span;
        let written = field.get("value").cloned();
        let mut value = written.unwrap_or(Node { kind: NodeKind::Null, span });
        any_value(&mut value);
        all.push(Entry { key: name.into(), key_span: key.value.span, value });
    }
    node.kind = NodeKind::Map(all);
}

/// A `google.protobuf.Value`: `string_value: "b"` and the like.
fn any_value(node: &mut Node) {
    let NodeKind::Map(fields) = &node.kind else { return };
    let Some(field) = fields.first() else {
        node.kind = NodeKind::Null;
        return;
    };
    let mut value = field.value.clone();
    match &*field.key {
        "struct_value" => structure(&mut value),
        "null_value" => value.kind = NodeKind::Null,
        "list_value" => {
            let NodeKind::Map(items) = value.kind else { return };
            let items = items.into_iter().filter(|item| &*item.key == "values");
            let items = items.flat_map(|item| match item.value.kind {
                NodeKind::Seq(items) => items,
                kind => vec![Node { kind, span: item.value.span }],
            });
            let mut items: Vec<Node> = items.collect();
            items.iter_mut().for_each(any_value);
            value.kind = NodeKind::Seq(items);
        }
        _ => {}
    }
    node.kind = value.kind;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        let (nodes, problems) = document(&"t.pb_text".into(), text);
        match problems.first() {
            Some(problem) => problem.to_string(),
            None => nodes[0].to_json().to_string(),
        }
    }

    #[test]
    fn fields_become_what_json_has() {
        for (text, expected) in [
            ("tests { a: 1 } tests < a: 2 >", r#"{"tests":[{"a":1},{"a":2}]}"#),
            ("tests: [{ a: 1 }, { a: 2 }];", r#"{"tests":[{"a":1},{"a":2}]}"#),
            (
                "a: 'x' \"y\\n\\x41\\101\" # why\nb: true, c: -1.5",
                r#"{"a":"xy\nAA","b":true,"c":-1.5}"#,
            ),
            (
                "cluster_name { value: 'a' } timeout { seconds: 3 }",
                r#"{"cluster_name":"a","timeout":"3.000000000s"}"#,
            ),
            (
                "dynamic_metadata { value { fields { key: 'a' value { struct_value { fields { key: 'b' value { \
                 list_value { values { number_value: 1 } values { bool_value: false } } } } } } } } }",
                r#"{"dynamic_metadata":[{"value":{"a":{"b":[1,false]}}}]}"#,
            ),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
    }

    #[test]
    fn mistakes_have_a_place() {
        for (text, expected) in [
            ("tests {\n  a: }", "t.pb_text:2:6: error[PIL0203]: a value is expected here"),
            ("tests {\n  a: 1", "t.pb_text:1:7: error[PIL0203]: this is never closed"),
            ("a: 'x", "t.pb_text:1:4: error[PIL0203]: this text never ends"),
            ("a 1", "t.pb_text:1:3: error[PIL0203]: `:` is expected here"),
            ("a: 1 }", "t.pb_text:1:6: error[PIL0203]: the name of a field is expected here"),
            ("[a.b]: 1", "t.pb_text:1:1: error[PIL0203]: the name of a field is expected here"),
        ] {
            let told = json(text);
            assert!(told.starts_with(expected), "{told}");
        }
        let deep = "a {".repeat(10_000);
        assert!(json(&deep).contains("too deep"), "{}", json(&deep));
    }
}
