//! Diagnostics for scripts: a JSON shape that stays.

use serde_json::{Map, Value, json};

use super::{Diagnostic, Label};

impl Diagnostic {
    /// The diagnostic as JSON: `code`, `name`, `severity`, `message`, and where they are known
    /// `object` (`kind`, `namespace`, `name`), `path`, `place`, `related`, `notes` and `help`.
    /// A place has `file` and, unless it is the file as a whole, `line`, `column`, `offset`,
    /// `length` and `label`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut out = Map::new();
        out.insert("code".to_owned(), json!(self.code.id()));
        out.insert("name".to_owned(), json!(self.code.name()));
        out.insert("severity".to_owned(), json!(self.severity.as_str()));
        out.insert("message".to_owned(), json!(self.message));
        if let Some(object) = &self.object {
            let object = json!({
                "kind": &*object.kind,
                "namespace": &*object.namespace,
                "name": &*object.name,
            });
            out.insert("object".to_owned(), object);
        }
        if let Some(path) = self.path.as_ref().filter(|path| !path.is_root()) {
            out.insert("path".to_owned(), json!(path.as_str()));
        }
        if let Some(label) = &self.primary {
            out.insert("place".to_owned(), place(label));
        }
        if !self.secondary.is_empty() {
            out.insert("related".to_owned(), self.secondary.iter().map(place).collect());
        }
        if !self.notes.is_empty() {
            out.insert("notes".to_owned(), json!(self.notes));
        }
        if let Some(help) = &self.help {
            out.insert("help".to_owned(), json!(help));
        }
        Value::Object(out)
    }
}

fn place(label: &Label) -> Value {
    if !label.span.is_known() {
        return json!({ "file": &*label.source });
    }
    json!({
        "file": &*label.source,
        "line": label.span.line,
        "column": label.span.column,
        "offset": label.span.start,
        "length": label.span.len(),
        "label": label.text,
    })
}
