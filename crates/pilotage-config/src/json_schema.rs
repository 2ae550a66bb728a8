//! JSON Schema (draft 7) of the kinds, generated from the same definitions that decode them.
//!
//! Editors complete and check YAML with it. A schema says less than loading does: rules that need more than the form
//! of a value are left to [`crate::check()`].

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::decode::Decode;
use crate::kubernetes::{
    EndpointSlice, Endpoints, Namespace, Node, Pod, Secret, Service, Workload,
};
use crate::load::document::{UNSUPPORTED, root_shape};
use crate::object::KindName;
use crate::schema::{FieldInfo, MessageSchema, Shape};

const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// The schema of objects of one kind.
#[must_use]
pub fn of_kind(kind: KindName) -> Value {
    let mut definitions = Definitions::new(kind.is_istio());
    let mut schema = object(kind, &mut definitions);
    schema.insert("$schema".to_owned(), DRAFT.into());
    schema.insert("title".to_owned(), kind.as_str().into());
    schema.insert("definitions".to_owned(), Value::Object(definitions.finish()));
    Value::Object(schema)
}

/// The schema of objects of any kind, told apart by `apiVersion` and `kind`. What is of a kind that is not read may hold
/// anything.
#[must_use]
pub fn of_all() -> Value {
    let mut all = Map::new();
    let mut choices = Vec::new();
    for kind in KindName::ALL {
        let mut definitions = Definitions::new(kind.is_istio());
        definitions.prefix = format!("{kind}.");
        let schema = Value::Object(object(*kind, &mut definitions));
        choices.push(json!({"$ref": format!("#/definitions/{kind}")}));
        all.insert(kind.as_str().to_owned(), schema);
        all.extend(definitions.finish());
    }
    choices.push(of_others());
    json!({
        "$schema": DRAFT,
        "title": "Istio and Kubernetes objects that Pilotage reads",
        "oneOf": choices,
        "definitions": all,
    })
}

/// The schema of objects that are not read. In Istio's groups these are the kinds that are known and not carried out.
fn of_others() -> Value {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for kind in KindName::ALL {
        groups.entry(kind.group()).or_default().push(kind.as_str());
    }
    let read = groups.into_iter().map(|(group, kinds)| {
        let versions = match group {
            "" => "^[^/]*$".to_owned(),
            group => format!("^{}/", group.replace('.', "\\.")),
        };
        let kinds = match group.ends_with(".istio.io") {
            true => {
                let known = UNSUPPORTED.iter().filter(|(of, ..)| *of == group);
                json!({"not": {"enum": known.map(|(_, kind, _)| *kind).collect::<Vec<_>>()}})
            }
            false => json!({"enum": kinds}),
        };
        json!({"properties": {"apiVersion": {"pattern": versions}, "kind": kinds}})
    });
    json!({
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"}},
        "not": {"anyOf": read.collect::<Vec<_>>()},
    })
}

/// The body of the schema of a kind.
fn object(kind: KindName, definitions: &mut Definitions) -> Map<String, Value> {
    let versions: Vec<String> = kind
        .versions()
        .iter()
        .map(|version| match kind.group() {
            "" => (*version).to_owned(),
            group => format!("{group}/{version}"),
        })
        .collect();
    let mut properties = Map::new();
    properties.insert("apiVersion".to_owned(), json!({"enum": versions}));
    properties.insert("kind".to_owned(), json!({"const": kind.as_str()}));
    properties.insert("metadata".to_owned(), metadata());
    let body = if kind.is_istio() { root_shape(kind) } else { kubernetes_shape(kind) };
    for field in body.message().map(|message| message.fields).unwrap_or_default() {
        if !properties.contains_key(field.name) {
            properties.insert(field.name.to_owned(), definitions.field(field));
        }
    }
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("required".to_owned(), json!(["apiVersion", "kind", "metadata"]));
    schema.insert("properties".to_owned(), Value::Object(properties));
    if kind.is_istio() {
        schema.insert("additionalProperties".to_owned(), false.into());
    }
    schema
}

/// The fields of one of Kubernetes' kinds that traffic needs; the schema lets others stand.
fn kubernetes_shape(kind: KindName) -> Shape {
    match kind {
        KindName::Service => Service::SHAPE,
        KindName::Endpoints => Endpoints::SHAPE,
        KindName::EndpointSlice => EndpointSlice::SHAPE,
        KindName::Pod => Pod::SHAPE,
        KindName::Namespace => Namespace::SHAPE,
        KindName::Node => Node::SHAPE,
        KindName::Secret => Secret::SHAPE,
        KindName::Deployment
        | KindName::StatefulSet
        | KindName::ReplicaSet
        | KindName::DaemonSet => Workload::SHAPE,
        // Of ConfigMaps only one text counts, which has a form of its own.
        _ => Shape::Scalar("anything"),
    }
}

/// Kubernetes' own; everything that it may hold passes.
fn metadata() -> Value {
    let labels = json!({"type": ["object", "null"], "additionalProperties": {"type": "string"}});
    json!({
        "type": "object",
        "description": "Name, namespace, labels and annotations.",
        "properties": {
            "name": {"type": "string", "description": "The name, unique in its kind and namespace."},
            "namespace": {"type": "string", "description": "The namespace; without one, `default`."},
            "labels": labels,
            "annotations": labels,
        },
        "anyOf": [{"required": ["name"]}, {"required": ["generateName"]}],
    })
}

/// Messages that schemas refer to by name.
struct Definitions {
    /// Whether unknown fields are mistakes.
    is_strict: bool,
    prefix: String,
    known: BTreeMap<String, Value>,
}

impl Definitions {
    fn new(is_strict: bool) -> Self {
        Self { is_strict, prefix: String::new(), known: BTreeMap::new() }
    }

    fn finish(self) -> Map<String, Value> {
        self.known.into_iter().collect()
    }

    fn field(&mut self, field: &FieldInfo) -> Value {
        let schema = self.shape(&field.shape);
        let text = field.description.trim();
        if text.is_empty() {
            return schema;
        }
        match schema {
            // In draft 7 nothing counts beside a reference.
            Value::Object(fields) if fields.contains_key("$ref") => {
                json!({"description": text, "allOf": [fields]})
            }
            Value::Object(mut fields) => {
                fields.insert("description".to_owned(), text.into());
                Value::Object(fields)
            }
            other => other,
        }
    }

    fn shape(&mut self, shape: &Shape) -> Value {
        match shape {
            Shape::Scalar(name) => scalar(name),
            Shape::Enum(schema) => json!({"enum": schema.names()}),
            Shape::List(inner) => json!({"type": "array", "items": self.shape(inner)}),
            Shape::Map(inner) => {
                let value = self.shape(inner);
                json!({"type": "object", "additionalProperties": {"anyOf": [value, {"type": "null"}]}})
            }
            Shape::Message(schema) => self.message(schema),
        }
    }

    /// A reference to a message, which becomes a definition.
    fn message(&mut self, message: &MessageSchema) -> Value {
        let mut properties = Map::new();
        for field in message.fields {
            properties.insert(field.name.to_owned(), self.field(field));
        }
        let mut schema = Map::new();
        schema.insert("type".to_owned(), "object".into());
        schema.insert("properties".to_owned(), Value::Object(properties));
        if self.is_strict {
            schema.insert("additionalProperties".to_owned(), false.into());
        }
        let exclusive: Vec<Value> = message.one_of.iter().flat_map(|group| pairs(group)).collect();
        if !exclusive.is_empty() {
            schema.insert("allOf".to_owned(), Value::Array(exclusive));
        }
        let schema = Value::Object(schema);
        // Two messages of one name and different fields stay apart.
        let name = format!("{}{}", self.prefix, message.name);
        let names =
            std::iter::once(name.clone()).chain((2..).map(|number| format!("{name}{number}")));
        for name in names {
            let held = self.known.entry(name.clone()).or_insert_with(|| schema.clone());
            if *held == schema {
                return json!({"$ref": format!("#/definitions/{name}")});
            }
        }
        schema
    }
}

/// That no two of these fields stand together.
fn pairs(group: &[&str]) -> Vec<Value> {
    let pairs = group.iter().enumerate().flat_map(|(index, a)| {
        group.iter().skip(index + 1).map(move |b| json!({"not": {"required": [a, b]}}))
    });
    pairs.collect()
}

/// A single value, by the words that messages use for it.
fn scalar(name: &str) -> Value {
    match name {
        "text" => json!({"type": "string"}),
        "a truth value" => json!({"type": "boolean"}),
        "a whole number" => json!({"type": ["integer", "string"], "pattern": "^-?[0-9]+$"}),
        "a whole number from 0" | "a whole number from 0 to 4294967295" => {
            json!({"type": ["integer", "string"], "pattern": "^[0-9]+$", "minimum": 0})
        }
        "a number" => {
            json!({"type": ["number", "string"], "pattern": "^(-?[0-9.]+([eE][-+]?[0-9]+)?|NaN|-?Infinity)$"})
        }
        "a number or a name" => json!({"type": ["integer", "string"]}),
        "a duration such as 1.5s" => {
            json!({"type": "string", "pattern": "^[-+]?(([0-9]+\\.?[0-9]*|\\.[0-9]+)(h|ms|m|s|us|µs|ns))+$|^0$"})
        }
        "bytes in base64" => json!({"type": "string"}),
        // Times, and what is not read: YAML may make a number or a date of it.
        _ => json!({}),
    }
}

#[cfg(test)]
mod tests;
