//! YAML that the tests themselves are written in, as JSON values.
//!
//! Only for descriptions of cases and requests: no anchors. Configuration under test goes through
//! `pilotage-config`, as a user's does.

use granit_parser::{Event, Parser, ScalarStyle, options};
use serde_json::{Map, Value};

/// The value of the one document in `text`.
///
/// # Errors
/// As [`documents`], and when there is a second document.
pub fn value(text: &str) -> Result<Value, String> {
    let mut documents = documents(text)?;
    if documents.len() > 1 {
        return Err("one document is expected".into());
    }
    Ok(documents.pop().unwrap_or_default())
}

/// The values of the documents in `text`.
///
/// # Errors
/// When `text` is no YAML, or uses what descriptions do not need: aliases, keys that are no text.
pub fn documents(text: &str) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    let mut settings = options! {};
    settings.set_emit_comments(false);
    let mut open: Vec<Open> = vec![Open::Root(None)];
    for event in Parser::new_from_str_with_options(text, settings) {
        let (event, span) = event.map_err(|error| error.to_string())?;
        let step = match event {
            Event::Scalar(text, style, ..) => {
                let plain = style == ScalarStyle::Plain;
                give(&mut open, if plain { resolve(&text) } else { Value::from(&*text) })
            }
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                Ok(())
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(Map::new(), None));
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let value = open.pop().map(Open::close).unwrap_or_default();
                give(&mut open, value)
            }
            Event::DocumentEnd => {
                found.extend(open.pop().map(Open::close));
                open.push(Open::Root(None));
                Ok(())
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => Err("aliases are not supported"),
            _ => Ok(()),
        };
        step.map_err(|problem| format!("line {}: {problem}", span.start.line()))?;
    }
    Ok(found)
}

/// A list or mapping whose end has not been read.
enum Open {
    Root(Option<Value>),
    List(Vec<Value>),
    Map(Map<String, Value>, Option<String>),
}

impl Open {
    fn close(self) -> Value {
        match self {
            Self::Root(value) => value.unwrap_or_default(),
            Self::List(items) => Value::Array(items),
            Self::Map(fields, _) => Value::Object(fields),
        }
    }
}

fn give(open: &mut [Open], value: Value) -> Result<(), &'static str> {
    match open.last_mut() {
        Some(Open::Root(root @ None)) => *root = Some(value),
        Some(Open::List(items)) => items.push(value),
        Some(Open::Map(fields, key)) => match (key.take(), value) {
            (Some(key), value) => {
                fields.insert(key, value);
            }
            (None, Value::String(text)) => *key = Some(text),
            (None, Value::Number(number)) => *key = Some(number.to_string()),
            (None, _) => return Err("a key must be text"),
        },
        _ => return Err("one document is expected"),
    }
    Ok(())
}

/// The value of a plain scalar, by YAML 1.2's core rules.
fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            let integer = text.parse::<i64>().ok().map(Value::from);
            let float = || text.parse::<f64>().ok().map(Value::from);
            integer.or_else(float).unwrap_or_else(|| Value::from(text))
        }
        _ => Value::from(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::value;

    #[test]
    fn a_case_description_is_read() {
        let text = "title: 'a: b'\nfixtures: []\nmesh: {a: 1s, b: 0.5, c: [\"x\"]}\nproxies:\n- {name: c, ip: 10.1.9.1}\n";
        let expected = json!({
            "title": "a: b", "fixtures": [], "mesh": {"a": "1s", "b": 0.5, "c": ["x"]},
            "proxies": [{"name": "c", "ip": "10.1.9.1"}]
        });
        assert_eq!(value(text).unwrap(), expected);
    }

    #[test]
    fn what_is_not_supported_is_an_error() {
        assert!(value("a: &x 1\nb: *x").unwrap_err().contains("aliases"));
        assert!(value("a\n---\nb").unwrap_err().contains("one document"));
        assert!(value("a: [").is_err());
    }
}
