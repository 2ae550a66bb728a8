//! Protobuf-JSON, the canonical mapping: lowerCamelCase names, enums by name, durations as strings, `Any` expanded
//! under `@type`.
//!
//! It goes through message descriptors rather than generated serializers: JSON is for people and tools
//! (`proxy-config`, `/config_dump`, bootstrap files), never for the request path.

mod shape;

use std::sync::OnceLock;

use prost::{Message, Name};
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, Kind, MessageDescriptor, ReflectMessage,
    SerializeOptions,
};
use serde_json::Value;

pub use shape::{Misfit, MisfitReason, Step, misfits};

/// Why a message could not be written as, or read from, JSON.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The type is not one of the messages compiled into this build.
    #[error("message type {0} is not known")]
    UnknownType(String),
    /// The JSON does not fit the message.
    #[error("{0}")]
    Shape(#[from] serde_json::Error),
    /// The wire form does not fit the message.
    #[error("{0}")]
    Wire(#[from] prost::DecodeError),
}

/// All message descriptors of this build.
pub fn descriptors() -> &'static DescriptorPool {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    POOL.get_or_init(|| {
        let bytes = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
        // The bytes come from our own build script; a test holds that they decode.
        DescriptorPool::decode(bytes.as_slice()).unwrap_or_default()
    })
}

fn descriptor(name: &str) -> Result<MessageDescriptor, JsonError> {
    descriptors().get_message_by_name(name).ok_or_else(|| JsonError::UnknownType(name.to_owned()))
}

/// `message` as canonical protobuf-JSON.
///
/// # Errors
/// When a nested `Any` holds a type that this build does not know.
pub fn to_value<M: Message + Name>(message: &M) -> Result<Value, JsonError> {
    serialize(message, &SerializeOptions::new())
}

/// `message` as protobuf-JSON with the field names of the `.proto` files, as Envoy's admin endpoint writes it.
///
/// # Errors
/// When a nested `Any` holds a type that this build does not know.
pub fn to_value_with_proto_names<M: Message + Name>(message: &M) -> Result<Value, JsonError> {
    serialize(message, &SerializeOptions::new().use_proto_field_name(true))
}

fn serialize<M: Message + Name>(
    message: &M,
    options: &SerializeOptions,
) -> Result<Value, JsonError> {
    let dynamic =
        DynamicMessage::decode(descriptor(&M::full_name())?, message.encode_to_vec().as_slice())?;
    let options = options.clone().stringify_64_bit_integers(false);
    let mut value = dynamic.serialize_with_options(serde_json::value::Serializer, &options)?;
    sort_maps(&mut value, &dynamic.descriptor());
    Ok(value)
}

/// Puts the entries of maps in order. Their order says nothing, and dynamic messages keep them in a hash map; fields of
/// messages stay in the order of their definition.
fn sort_maps(value: &mut Value, of: &MessageDescriptor) {
    let Value::Object(fields) = value else { return };
    if matches!(of.full_name(), "google.protobuf.Struct" | "google.protobuf.Value") {
        return value.sort_all_objects();
    }
    // An `Any` says itself what it holds.
    let packed = fields.get("@type").and_then(Value::as_str).and_then(|url| url.rsplit('/').next());
    let packed = packed.and_then(|name| descriptors().get_message_by_name(name));
    let of = packed.as_ref().unwrap_or(of);
    for (name, value) in fields {
        let field = of.get_field_by_json_name(name).or_else(|| of.get_field_by_name(name));
        let Some(field) = field else { continue };
        let Kind::Message(held) = field.kind() else { continue };
        match value {
            Value::Object(entries) if field.is_map() => {
                entries.sort_keys();
                let held = held.map_entry_value_field().kind();
                if let Kind::Message(held) = held {
                    entries.values_mut().for_each(|value| sort_maps(value, &held));
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| sort_maps(item, &held)),
            value => sort_maps(value, &held),
        }
    }
}

/// The `M` that `value` describes. Unknown fields are errors.
///
/// # Errors
/// When the JSON does not fit `M`, or a nested `Any` names a type that this build does not know.
pub fn from_value<M: Message + Name + Default>(value: &Value) -> Result<M, JsonError> {
    let seed = descriptor(&M::full_name())?;
    let dynamic =
        DynamicMessage::deserialize_with_options(seed, value, &DeserializeOptions::new())?;
    Ok(M::decode(dynamic.encode_to_vec().as_slice())?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{descriptors, from_value, to_value};
    use crate::envoy::config::listener::v3::Listener;
    use crate::envoy::config::route::v3::RouteConfiguration;

    #[test]
    fn every_generated_message_has_a_descriptor() {
        assert!(descriptors().get_message_by_name("envoy.config.route.v3.Route").is_some());
        assert!(descriptors().all_messages().count() > 200);
    }

    #[test]
    fn json_comes_back_the_same() {
        let written = json!({
            "name": "80",
            "virtualHosts": [{
                "name": "reviews:80",
                "domains": ["reviews"],
                "routes": [{
                    "match": {"prefix": "/", "caseSensitive": true},
                    "route": {"cluster": "outbound|80||reviews", "timeout": "1.500s"},
                    "typedPerFilterConfig": {"envoy.filters.http.cors": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy",
                        "maxAge": "60"
                    }}
                }]
            }],
            "validateClusters": false
        });
        let config: RouteConfiguration = from_value(&written).unwrap();
        assert_eq!(to_value(&config).unwrap(), written);
    }

    #[test]
    fn an_unknown_field_is_an_error_that_names_it() {
        let error = from_value::<Listener>(&json!({"nme": "x"})).unwrap_err();
        assert!(error.to_string().contains("nme"), "{error}");
    }

    #[test]
    fn maps_are_in_order_wherever_they_are() {
        let names =
            ["c", "a", "e", "b", "d"].map(|name| (name.to_owned(), json!({"z": 1, "y": 2})));
        let metadata: serde_json::Map<_, _> = names.into_iter().collect();
        let written = json!({
            "name": "x",
            "metadata": {"filterMetadata": metadata},
            "filterChains": [{"filters": [{"name": "f", "typedConfig": {
                "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
                "metadata": {"filterMetadata": metadata},
            }}]}],
        });
        let listener: Listener = from_value(&written).unwrap();
        let value = to_value(&listener).unwrap();
        let packed = &value["filterChains"][0]["filters"][0]["typedConfig"];
        for holder in [&value, packed] {
            let text = holder["metadata"]["filterMetadata"].to_string();
            let entry = |name: &str| format!("\"{name}\":{{\"y\":2.0,\"z\":1.0}}");
            assert_eq!(text, format!("{{{}}}", ["a", "b", "c", "d", "e"].map(entry).join(",")));
        }
    }
}
