//! Dynamic metadata: what filters found out about a request, for routes to look at.
//!
//! None of this proxy's own filters finds out any, so requests from the network have none; tests of routes may bring it.

use std::collections::BTreeMap;

use pilotage_proto::prost_types::Value;
use pilotage_proto::prost_types::value::Kind;

/// What filters found out, by the name under which they put it. Within one name it is a message of fields
/// (`google.protobuf.Struct`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DynamicMetadata(BTreeMap<String, BTreeMap<String, Value>>);

impl DynamicMetadata {
    /// Puts `fields` under `name`.
    ///
    /// What is there already stays, unless `overwrite`: then `fields` come on top as Envoy's `set_metadata` filter puts
    /// them, which goes into messages, appends to lists, and replaces everything else.
    pub fn set(&mut self, name: &str, fields: BTreeMap<String, Value>, overwrite: bool) {
        match self.0.get_mut(name) {
            None => {
                self.0.insert(name.to_owned(), fields);
            }
            Some(known) if overwrite => put_on_top(known, fields),
            Some(_) => {}
        }
    }

    /// The value under `name` to which the keys of `path` lead, each a field of what the one before leads to.
    pub fn value<'p>(&self, name: &str, path: impl IntoIterator<Item = &'p str>) -> Option<&Value> {
        let mut path = path.into_iter();
        let mut value = self.0.get(name)?.get(path.next()?)?;
        for key in path {
            let Some(Kind::StructValue(inner)) = &value.kind else { return None };
            value = inner.fields.get(key)?;
        }
        Some(value)
    }
}

fn put_on_top(known: &mut BTreeMap<String, Value>, fields: BTreeMap<String, Value>) {
    for (key, value) in fields {
        let Some(old) = known.get_mut(&key) else {
            known.insert(key, value);
            continue;
        };
        match (&mut old.kind, value.kind) {
            (Some(Kind::StructValue(old)), Some(Kind::StructValue(new))) => {
                put_on_top(&mut old.fields, new.fields);
            }
            (Some(Kind::ListValue(old)), Some(Kind::ListValue(new))) => {
                old.values.extend(new.values);
            }
            (old, new) => *old = new,
        }
    }
}

#[cfg(test)]
mod tests {
    use pilotage_proto::prost_types::Struct;

    use super::*;

    fn text(value: &str) -> Value {
        Value { kind: Some(Kind::StringValue(value.to_owned())) }
    }

    fn fields(all: &[(&str, Value)]) -> BTreeMap<String, Value> {
        all.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    }

    fn nested(all: &[(&str, Value)]) -> Value {
        Value { kind: Some(Kind::StructValue(Struct { fields: fields(all) })) }
    }

    #[test]
    fn paths_go_into_messages() {
        let mut metadata = DynamicMetadata::default();
        metadata.set("jwt", fields(&[("payload", nested(&[("sub", text("a"))]))]), false);
        assert_eq!(metadata.value("jwt", ["payload", "sub"]), Some(&text("a")));
        assert_eq!(metadata.value("jwt", ["payload", "sub", "x"]), None);
        assert_eq!(metadata.value("jwt", ["sub"]), None);
        assert_eq!(metadata.value("jwt", []), None);
        assert_eq!(metadata.value("other", ["payload"]), None);
    }

    #[test]
    fn what_is_there_stays_unless_it_may_be_overwritten() {
        let mut metadata = DynamicMetadata::default();
        metadata.set("a", fields(&[("k", text("1")), ("in", nested(&[("x", text("1"))]))]), false);
        metadata.set("a", fields(&[("k", text("2"))]), false);
        assert_eq!(metadata.value("a", ["k"]), Some(&text("1")));
        metadata.set("a", fields(&[("k", text("3")), ("in", nested(&[("y", text("2"))]))]), true);
        assert_eq!(metadata.value("a", ["k"]), Some(&text("3")));
        assert_eq!(metadata.value("a", ["in", "x"]), Some(&text("1")));
        assert_eq!(metadata.value("a", ["in", "y"]), Some(&text("2")));
    }
}
