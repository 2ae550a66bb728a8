//! JSON values as YAML in block style.

use std::io::{self, Write};

use serde_json::Value;

/// Writes `value` as one YAML document.
///
/// # Errors
/// When `out` fails.
pub(crate) fn write(out: &mut impl Write, value: &Value) -> io::Result<()> {
    node(out, value, 0, false)
}

/// Writes `value`; `inline` says that the cursor stands behind a `- `, where the first key or item goes.
fn node(out: &mut impl Write, value: &Value, indent: usize, inline: bool) -> io::Result<()> {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (i, (key, value)) in fields.iter().enumerate() {
                if i > 0 || !inline {
                    pad(out, indent)?;
                }
                write!(out, "{}:", scalar_text(key))?;
                below(out, value, indent)?;
            }
            Ok(())
        }
        Value::Array(items) if !items.is_empty() => {
            for (i, item) in items.iter().enumerate() {
                if i > 0 || !inline {
                    pad(out, indent)?;
                }
                write!(out, "- ")?;
                node(out, item, indent + 2, true)?;
            }
            Ok(())
        }
        leaf => writeln!(out, "{}", leaf_text(leaf)),
    }
}

/// Writes the value of a key: a leaf on the same line, everything else on the lines below.
fn below(out: &mut impl Write, value: &Value, indent: usize) -> io::Result<()> {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            writeln!(out)?;
            node(out, value, indent + 2, false)
        }
        Value::Array(items) if !items.is_empty() => {
            writeln!(out)?;
            node(out, value, indent, false)
        }
        leaf => writeln!(out, " {}", leaf_text(leaf)),
    }
}

fn pad(out: &mut impl Write, indent: usize) -> io::Result<()> {
    write!(out, "{:indent$}", "")
}

fn leaf_text(value: &Value) -> String {
    match value {
        Value::String(text) => scalar_text(text),
        // Empty objects and lists, numbers, booleans and null read the same in YAML.
        other => other.to_string(),
    }
}

/// `text` bare where every YAML reader takes it for that string, else in double quotes.
fn scalar_text(text: &str) -> String {
    let mut characters = text.chars();
    let plain = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '/')
        && characters.all(|c| c.is_ascii_alphanumeric() || "_-./|".contains(c))
        && !is_word_with_meaning(text);
    if plain { text.to_owned() } else { Value::from(text).to_string() }
}

fn is_word_with_meaning(text: &str) -> bool {
    const WORDS: [&str; 11] =
        ["true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan", "inf"];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    fn written(value: &serde_json::Value) -> String {
        let mut out = Vec::new();
        super::write(&mut out, value).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn maps_and_lists_nest_in_block_style() {
        let value = json!({"a": {"b": [{"c": 1, "d": [2, 3]}, "x"]}, "e": [], "f": {}});
        let text = "a:\n  b:\n  - c: 1\n    d:\n    - 2\n    - 3\n  - x\ne: []\nf: {}\n";
        assert_eq!(written(&value), text);
    }

    #[test]
    fn a_list_in_a_list_keeps_its_indentation() {
        assert_eq!(written(&json!([[1, 2], [3]])), "- - 1\n  - 2\n- - 3\n");
    }

    #[test]
    fn strings_that_mean_something_else_are_quoted() {
        let value = json!(["no", "1.5s", "*", "80", "", "a: b", "outbound|80||x.y", "0x1f"]);
        let text = "- \"no\"\n- \"1.5s\"\n- \"*\"\n- \"80\"\n- \"\"\n- \"a: b\"\n- outbound|80||x.y\n- \"0x1f\"\n";
        assert_eq!(written(&value), text);
    }
}
