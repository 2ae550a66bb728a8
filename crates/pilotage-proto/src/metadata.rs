//! Metadata of routes, which messages keep encoded: see `build.rs`.

use std::iter;

use prost::Message as _;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use crate::envoy::config::core::v3::Metadata;

/// Numbers of fields: `Metadata.filter_metadata`, `Struct.fields`, `Value.string_value`, and those of a map's entries.
const FILTER_METADATA: u32 = 1;
const FIELDS: u32 = 1;
const STRING_VALUE: u32 = 3;
const KEY: u32 = 1;
const VALUE: u32 = 2;

impl Metadata {
    /// The metadata in `encoded`, which is that of a route; nothing, when it has none.
    #[must_use]
    pub fn of_route(encoded: &[u8]) -> Option<Self> {
        if encoded.is_empty() { None } else { Self::decode(encoded).ok() }
    }

    /// The text that the metadata in `encoded` has under `key` for `filter`, read where it is.
    #[must_use]
    pub fn text_of_route<'e>(encoded: &'e [u8], filter: &str, key: &str) -> Option<&'e str> {
        let value = entry(entry(encoded, FILTER_METADATA, filter)?, FIELDS, key)?;
        str::from_utf8(last(value, STRING_VALUE)?).ok()
    }
}

/// The value under `key` of the map that is the field `number` of `message`.
fn entry<'e>(message: &'e [u8], number: u32, key: &str) -> Option<&'e [u8]> {
    let entries = parts(message).filter(|(found, _)| *found == number);
    let is_it = |entry: &&[u8]| last(entry, KEY).unwrap_or_default() == key.as_bytes();
    last(entries.map(|(_, entry)| entry).filter(is_it).last()?, VALUE)
}

/// The field `number` of `message`; of several the last counts.
fn last(message: &[u8], number: u32) -> Option<&[u8]> {
    parts(message).filter(|(found, _)| *found == number).last().map(|(_, part)| part)
}

/// The fields of `message` that are texts or messages, with their numbers, up to what cannot be read.
fn parts(mut message: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    iter::from_fn(move || {
        while !message.is_empty() {
            let (number, kind) = decode_key(&mut message).ok()?;
            if kind == WireType::LengthDelimited {
                let length = usize::try_from(decode_varint(&mut message).ok()?).ok()?;
                let (part, rest) = message.split_at_checked(length)?;
                message = rest;
                return Some((number, part));
            }
            skip_field(kind, number, &mut message, DecodeContext::default()).ok()?;
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use serde_json::json;

    use super::Metadata;

    #[test]
    fn texts_are_read_where_they_are() {
        let all = json!({"filterMetadata": {
            "a": {"x": "one", "y": {"x": "deeper"}, "z": 1},
            "b": {"x": "two", "": "nameless"},
        }});
        let metadata: Metadata = crate::json::from_value(&all).unwrap();
        let encoded = metadata.encode_to_vec();
        let text = |filter, key| Metadata::text_of_route(&encoded, filter, key);
        assert_eq!((text("a", "x"), text("b", "x")), (Some("one"), Some("two")));
        assert_eq!((text("a", "y"), text("a", "z"), text("c", "x")), (None, None, None));
        assert_eq!(text("b", ""), Some("nameless"));
        assert_eq!(Metadata::of_route(&encoded), Some(metadata));
        for end in 0..encoded.len() {
            // Cut off, it still does no harm.
            let found = Metadata::text_of_route(&encoded[..end], "b", "x");
            assert!(found.is_none_or(|text| text == "two"), "{end}");
        }
        assert_eq!(Metadata::of_route(&[]), None);
    }
}
