//! Labels of the Prometheus text format.

use std::fmt::Write;

/// Appends `name="value"`, with a comma before all but the first.
pub(super) fn push_label(out: &mut String, name: &str, value: &str) {
    if !out.is_empty() {
        out.push(',');
    }
    let written = write!(out, "{name}=\"");
    debug_assert!(written.is_ok(), "writing to a string does not fail");
    for character in value.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::push_label;

    #[test]
    fn label_values_are_escaped() {
        let mut out = String::new();
        push_label(&mut out, "a", "x\"\\\n");
        assert_eq!(out, r#"a="x\"\\\n""#);
    }
}
