//! Whether JSON fits a message, told for every place where it does not.
//!
//! Reading a message stops at the first mistake and does not say where it is. Files that people write deserve better:
//! this walks the value beside the descriptor of the message and collects all misfits with their places.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{DeserializeOptions, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value};

use super::{JsonError, descriptor, descriptors};

/// How deep messages may be nested.
const DEEPEST: usize = 100;

/// One step from a value into what it holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The field or map entry of that name, as written.
    Field(String),
    /// The item of that number, from 0.
    Item(usize),
}

/// A place where JSON does not fit its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Where, from the outside to the inside.
    pub place: Vec<Step>,
    /// Why.
    pub reason: MisfitReason,
}

/// Why JSON does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MisfitReason {
    /// The message has no field of that name, or none that this build knows.
    #[error("{message} has no field `{field}` that is supported here")]
    UnknownField {
        /// The message.
        message: String,
        /// The name as written.
        field: String,
        /// The fields there are, in the spelling of the `.proto` files.
        known: Vec<String>,
    },
    /// A packed message of a type that this build does not know.
    #[error("`{0}` is not supported")]
    UnknownType(String),
    /// A packed message that does not say what it is.
    #[error("`@type` is missing: it says what is configured here")]
    NoType,
    /// The field is written twice, in both spellings.
    #[error("`{0}` is set already")]
    Twice(String),
    /// Two alternatives at once.
    #[error("`{field}` and `{other}` exclude each other")]
    Exclusive {
        /// The alternative at this place.
        field: String,
        /// The one before it.
        other: String,
    },
    /// A value of another kind than the field's.
    #[error("{0}")]
    Value(String),
}

/// Every place where `value` does not fit the message called `name`. When there is none, reading it succeeds.
///
/// # Errors
/// When there is no such message.
pub fn misfits(name: &str, value: &Value) -> Result<Vec<Misfit>, JsonError> {
    let mut walk = Walk::default();
    walk.message(&descriptor(name)?, value);
    Ok(walk.found)
}

#[derive(Default)]
struct Walk {
    place: Vec<Step>,
    found: Vec<Misfit>,
}

impl Walk {
    fn note(&mut self, reason: MisfitReason) {
        self.found.push(Misfit { place: self.place.clone(), reason });
    }

    fn within(&mut self, step: Step, look: impl FnOnce(&mut Self)) {
        self.place.push(step);
        look(self);
        self.place.pop();
    }

    fn message(&mut self, of: &MessageDescriptor, value: &Value) {
        let Value::Object(fields) = value else {
            let text = format!("a mapping with the fields of {} is wanted here", of.full_name());
            return self.note(MisfitReason::Value(text));
        };
        if self.place.len() > DEEPEST {
            return self.note(MisfitReason::Value("this is nested too deep".to_owned()));
        }
        if of.full_name() == "google.protobuf.Any" {
            self.any(fields)
        } else {
            self.fields(of, fields)
        }
    }

    fn any(&mut self, fields: &Map<String, Value>) {
        let Some(url) = fields.get("@type") else { return self.note(MisfitReason::NoType) };
        let name = url.as_str().map(|url| url.rsplit('/').next().unwrap_or(url));
        let Some(of) = name.and_then(|name| descriptors().get_message_by_name(name)) else {
            let told = url.as_str().map_or_else(|| url.to_string(), str::to_owned);
            let step = Step::Field("@type".to_owned());
            return self.within(step, |walk| walk.note(MisfitReason::UnknownType(told)));
        };
        if is_well_known(&of) {
            // Written under `value`; only reading it tells more.
            let any = descriptors().get_message_by_name("google.protobuf.Any");
            return any.iter().for_each(|any| self.leaf(any, &Value::Object(fields.clone())));
        }
        let rest = fields.iter().filter(|(name, _)| *name != "@type");
        self.fields(&of, &rest.map(|(name, value)| (name.clone(), value.clone())).collect());
    }

    fn fields(&mut self, of: &MessageDescriptor, fields: &Map<String, Value>) {
        let mut seen = BTreeSet::new();
        let mut chosen: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in fields {
            let field = of.get_field_by_json_name(name).or_else(|| of.get_field_by_name(name));
            self.within(Step::Field(name.clone()), |walk| {
                let Some(field) = field else {
                    let known = of.fields().map(|field| field.name().to_owned()).collect();
                    let message = of.full_name().to_owned();
                    let field = name.clone();
                    return walk.note(MisfitReason::UnknownField { message, field, known });
                };
                if !seen.insert(field.number()) {
                    return walk.note(MisfitReason::Twice(field.name().to_owned()));
                }
                if value.is_null() {
                    return;
                }
                let group = field.containing_oneof().map(|oneof| oneof.name().to_owned());
                if let Some(other) = group.and_then(|group| chosen.insert(group, name.clone())) {
                    return walk.note(MisfitReason::Exclusive { field: name.clone(), other });
                }
                walk.field(&field, value);
            });
        }
    }

    fn field(&mut self, field: &FieldDescriptor, value: &Value) {
        match (value, field.kind()) {
            (Value::Object(entries), Kind::Message(entry)) if field.is_map() => {
                let held = entry.map_entry_value_field();
                for (key, value) in entries {
                    self.within(Step::Field(key.clone()), |walk| walk.single(&held, value));
                }
            }
            (_, _) if field.is_map() => self.note(wanted("a mapping")),
            (Value::Array(items), _) if field.is_list() => {
                for (index, item) in items.iter().enumerate() {
                    self.within(Step::Item(index), |walk| walk.item(field, item));
                }
            }
            (_, _) if field.is_list() => self.note(wanted("a list")),
            _ => self.single(field, value),
        }
    }

    fn item(&mut self, field: &FieldDescriptor, item: &Value) {
        match field.kind() {
            Kind::Message(of) if !is_well_known(&of) => self.message(&of, item),
            _ => {
                let list = Value::Array(vec![item.clone()]);
                self.leaf(field.parent_message(), &one_field(field, list));
            }
        }
    }

    fn single(&mut self, field: &FieldDescriptor, value: &Value) {
        match field.kind() {
            Kind::Message(of) if !is_well_known(&of) => self.message(&of, value),
            _ => self.leaf(field.parent_message(), &one_field(field, value.clone())),
        }
    }

    /// What reading says of a value that holds no further fields.
    fn leaf(&mut self, of: &MessageDescriptor, value: &Value) {
        let options = DeserializeOptions::new();
        if let Err(error) = DynamicMessage::deserialize_with_options(of.clone(), value, &options) {
            self.note(MisfitReason::Value(error.to_string()));
        }
    }
}

fn wanted(what: &str) -> MisfitReason {
    MisfitReason::Value(format!("{what} is wanted here"))
}

fn one_field(field: &FieldDescriptor, value: Value) -> Value {
    Value::Object(Map::from_iter([(field.json_name().to_owned(), value)]))
}

/// Messages that JSON writes in a form of its own. `Any` is looked into.
fn is_well_known(of: &MessageDescriptor) -> bool {
    of.package_name() == "google.protobuf" && of.name() != "Any"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{MisfitReason, Step, misfits};

    const MANAGER: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

    fn told(name: &str, value: &serde_json::Value) -> Vec<String> {
        let place = |steps: &[Step]| {
            let steps = steps.iter().map(|step| match step {
                Step::Field(name) => format!(".{name}"),
                Step::Item(index) => format!("[{index}]"),
            });
            steps.collect::<String>()
        };
        let found = misfits(name, value).unwrap();
        found.iter().map(|misfit| format!("{} {}", place(&misfit.place), misfit.reason)).collect()
    }

    #[test]
    fn every_misfit_is_told_with_its_place() {
        let value = json!({
            "name": 5,
            "address": {"socketAddress": {"address": "127.0.0.1", "portValue": "many"}},
            "filterChains": [{"filters": [
                {"name": "a", "typedConfig": {"@type": MANAGER, "stat_prefix": "x", "nme": "y"}},
                {"name": "b", "typedConfig": {"@type": "type.googleapis.com/envoy.Lua"}},
                {"name": "c", "typedConfig": {"stat_prefix": "x"}},
                7,
            ]}],
            "filter_chains": [],
            "bindToPort": null,
        });
        let told = told("envoy.config.listener.v3.Listener", &value);
        let starts = [
            ".name ",
            ".address.socketAddress.portValue ",
            ".filterChains[0].filters[0].typedConfig.nme envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager has no field `nme`",
            ".filterChains[0].filters[1].typedConfig.@type `type.googleapis.com/envoy.Lua` is not supported",
            ".filterChains[0].filters[2].typedConfig `@type` is missing",
            ".filterChains[0].filters[3] a mapping with the fields of",
            ".filter_chains `filter_chains` is set already",
        ];
        for start in starts {
            assert!(told.iter().any(|line| line.starts_with(start)), "{start}: {told:#?}");
        }
        assert_eq!(told.len(), starts.len(), "{told:#?}");
    }

    #[test]
    fn alternatives_exclude_each_other() {
        let value = json!({"prefix": "/", "path": "/x"});
        let found = misfits("envoy.config.route.v3.RouteMatch", &value).unwrap();
        assert!(
            matches!(&found[..], [one] if matches!(one.reason, MisfitReason::Exclusive { .. }))
        );
    }

    #[test]
    fn what_fits_is_not_told() {
        let value = json!({
            "name": "a", "connect_timeout": "1.5s", "type": "STATIC", "lbPolicy": 1,
            "metadata": {"filter_metadata": {"x": {"any": ["thing", 1]}}},
            "typed_extension_protocol_options": {"p": {
                "@type": "type.googleapis.com/google.protobuf.Struct", "value": {"a": 1}
            }},
        });
        assert_eq!(told("envoy.config.cluster.v3.Cluster", &value), [""; 0]);
    }
}
