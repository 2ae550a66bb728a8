//! Nodes as JSON values, for what is not one of our kinds.

use serde_json::{Map, Number, Value};

use super::{Node, NodeKind, float, integer};

impl Node {
    /// This as JSON. Numbers that JSON cannot hold stay text, as written.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &self.kind {
            NodeKind::Null => Value::Null,
            NodeKind::Bool(value) => Value::Bool(*value),
            NodeKind::Int(raw) => {
                integer(raw).and_then(Number::from_i128).map_or_else(|| text(raw), Value::Number)
            }
            NodeKind::Float(raw) => {
                float(raw).and_then(Number::from_f64).map_or_else(|| text(raw), Value::Number)
            }
            NodeKind::String(value) => text(value),
            NodeKind::Seq(items) => items.iter().map(Self::to_json).collect(),
            NodeKind::Map(entries) => {
                let pairs = entries.iter().map(|e| (e.key.to_string(), e.value.to_json()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }
}

fn text(raw: &str) -> Value {
    Value::String(raw.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::yaml::documents;

    #[test]
    fn a_document_is_what_json_would_say() {
        let text = "a: [1, 0x10, 1.5, yes, ~, 'no']\nb: {c: 99999999999999999999999999}\n";
        let (nodes, problems) = documents(&"x".into(), text);
        assert_eq!(problems, []);
        let wanted =
            json!({"a": [1, 16, 1.5, true, null, "no"], "b": {"c": "99999999999999999999999999"}});
        assert_eq!(nodes[0].to_json(), wanted);
    }
}
