//! Writes what recurs once: a JSON value as a tree whose repeated subtrees are references to a shared list.
//!
//! A reference is the string `@N`; strings that begin with `@` get another one in front.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Subtrees shorter than this are written where they stand.
const SHORTEST: usize = 32;

/// Counts subtrees, then writes values with the repeated ones numbered.
#[derive(Default)]
pub(super) struct Packer {
    seen: HashMap<String, usize>,
    numbers: HashMap<String, usize>,
    /// The shared subtrees in order; each refers only to earlier ones.
    pub(super) parts: Vec<Value>,
}

impl Packer {
    /// Takes note of `value`, which will be packed later.
    pub(super) fn count(&mut self, value: &Value) {
        let Some(text) = key(value) else { return };
        let seen = self.seen.entry(text).or_default();
        *seen += 1;
        if *seen == 1 {
            children(value).for_each(|child| self.count(child));
        }
    }

    /// `value` with its repeated subtrees as references.
    pub(super) fn pack(&mut self, value: &Value) -> Value {
        let Some(text) = key(value) else { return self.pack_inside(value) };
        if self.seen.get(&text).copied().unwrap_or(0) < 2 {
            return self.pack_inside(value);
        }
        let number = match self.numbers.get(&text) {
            Some(number) => *number,
            None => {
                let part = self.pack_inside(value);
                self.parts.push(part);
                self.numbers.insert(text, self.parts.len() - 1);
                self.parts.len() - 1
            }
        };
        Value::from(format!("@{number}"))
    }

    fn pack_inside(&mut self, value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let packed = fields.iter().map(|(name, value)| (name.clone(), self.pack(value)));
                Value::Object(packed.collect())
            }
            Value::Array(items) => items.iter().map(|item| self.pack(item)).collect(),
            Value::String(text) if text.starts_with('@') => Value::from(format!("@{text}")),
            other => other.clone(),
        }
    }
}

/// `value` with its references to `parts` resolved; nothing when one points nowhere.
pub(super) fn unpack(value: Value, parts: &[Value]) -> Option<Value> {
    Some(match value {
        Value::String(text) => match text.strip_prefix('@') {
            None => Value::String(text),
            Some(literal) if literal.starts_with('@') => Value::from(literal),
            Some(number) => parts.get(number.parse::<usize>().ok()?)?.clone(),
        },
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|v| unpack(v, parts)).collect::<Option<_>>()?)
        }
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, v)| Some((name, unpack(v, parts)?)));
            Value::Object(fields.collect::<Option<Map<_, _>>>()?)
        }
        other => other,
    })
}

/// What tells one subtree from another; nothing for those too short to share.
fn key(value: &Value) -> Option<String> {
    matches!(value, Value::Object(_) | Value::Array(_))
        .then(|| value.to_string())
        .filter(|text| text.len() >= SHORTEST)
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Object(fields) => Box::new(fields.values()),
        Value::Array(items) => Box::new(items.iter()),
        _ => Box::new(std::iter::empty()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Packer, unpack};

    #[test]
    fn repeated_subtrees_are_written_once_and_come_back() {
        let repeated =
            json!({"address": {"address": "10.0.0.1", "portValue": 9080}, "@type": "@x"});
        let values =
            [json!({"a": repeated, "list": [repeated, 1]}), json!([repeated, "@12", "plain"])];
        let mut packer = Packer::default();
        values.iter().for_each(|v| packer.count(v));
        let packed: Vec<_> = values.iter().map(|v| packer.pack(v)).collect();
        assert_eq!(packed[0], json!({"a": "@0", "list": ["@0", 1]}));
        assert_eq!(packed[1], json!(["@0", "@@12", "plain"]));
        let mut parts = Vec::new();
        for part in packer.parts {
            parts.push(unpack(part, &parts).unwrap());
        }
        for (packed, value) in packed.into_iter().zip(values) {
            assert_eq!(unpack(packed, &parts), Some(value));
        }
    }

    #[test]
    fn a_reference_to_nothing_is_noticed() {
        assert_eq!(unpack(json!(["@0"]), &[]), None);
        assert_eq!(unpack(json!("@x"), &[]), None);
    }
}
