//! The first places where two values differ, as sentences.

use std::collections::BTreeSet;

use serde_json::Value;

/// Every place where `theirs` and `ours` differ, outermost first: the path and both values, shortened.
pub fn differences(theirs: &Value, ours: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(theirs, ours, "", &mut found);
    found
}

fn walk(theirs: &Value, ours: &Value, path: &str, found: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Object(a), Value::Object(b)) => {
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                let path = format!("{path}/{name}");
                match (a.get(name), b.get(name)) {
                    (Some(a), Some(b)) => walk(a, b, &path, found),
                    (Some(a), None) => found.push(format!("{path}: only Istio's: {}", short(a))),
                    (None, Some(b)) => found.push(format!("{path}: only ours: {}", short(b))),
                    (None, None) => {}
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                walk(a, b, &format!("{path}[{index}]"), found);
            }
        }
        (a, b) if a == b => {}
        (a, b) => found.push(format!("{path}: Istio {} ours {}", short(a), short(b))),
    }
}

fn short(value: &Value) -> String {
    const LONGEST: usize = 160;
    let text = value.to_string();
    if text.chars().count() < LONGEST {
        return text;
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::differences;

    #[test]
    fn equal_values_differ_nowhere() {
        let value = json!({"a": [1, {"b": "c"}]});
        assert!(differences(&value, &value.clone()).is_empty());
    }

    #[test]
    fn each_difference_names_its_place() {
        let theirs = json!({"a": {"gone": 1}, "list": [1, 2], "lengths": [1], "kind": "x"});
        let ours = json!({"a": {"new": 2}, "list": [1, 3], "lengths": [1, 2], "kind": 5});
        assert_eq!(
            differences(&theirs, &ours),
            [
                "/a/gone: only Istio's: 1",
                "/a/new: only ours: 2",
                "/kind: Istio \"x\" ours 5",
                "/lengths: Istio [1] ours [1,2]",
                "/list[1]: Istio 2 ours 3",
            ]
        );
    }
}
