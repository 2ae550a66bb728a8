//! Optional values, lists and maps.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Decode, Decoder};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::schema::Shape;
use crate::span::FieldSpan;
use crate::yaml::{Node, NodeKind, shorten};

impl<T: Decode> Decode for Option<T> {
    const SHAPE: Shape = T::SHAPE;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        T::decode(node, decoder).map(Some)
    }

    fn from_null() -> Option<Self> {
        Some(None)
    }
}

impl<T: Decode> Decode for Box<T> {
    const SHAPE: Shape = T::SHAPE;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        T::decode(node, decoder).map(Box::new)
    }
}

impl<T: Decode> Decode for Arc<T> {
    const SHAPE: Shape = T::SHAPE;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        T::decode(node, decoder).map(Self::new)
    }
}

impl<T: Decode> Decode for Vec<T> {
    const SHAPE: Shape = Shape::List(&T::SHAPE);

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let NodeKind::Seq(items) = &node.kind else {
            decoder.wrong_type(node, &format!("a list of {}", plural(&T::SHAPE)));
            return None;
        };
        let mut out = Self::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let mark = decoder.path.mark();
            decoder.path.push_index(index);
            decoder.note_place(FieldSpan { key: item.span, value: item.span });
            if item.is_null() {
                match T::from_null() {
                    Some(value) => out.push(value),
                    None => {
                        let message = format!("`{}` is empty", decoder.path);
                        decoder.invalid(item, message, "an entry of a list cannot be null");
                    }
                }
            } else if let Some(value) = T::decode(item, decoder) {
                out.push(value);
            }
            decoder.path.truncate(mark);
        }
        Some(out)
    }
}

/// A key of a map.
pub trait MapKey: Sized + Ord {
    /// Reads it from the text of the key.
    fn from_key(text: &str) -> Option<Self>;
    /// What it has to be.
    const EXPECTED: &'static str;
}

impl MapKey for String {
    const EXPECTED: &'static str = "text";

    fn from_key(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl MapKey for u32 {
    const EXPECTED: &'static str = "a number from 0 to 4294967295";

    fn from_key(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl<K: MapKey, T: Decode> Decode for BTreeMap<K, T> {
    const SHAPE: Shape = Shape::Map(&T::SHAPE);

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let NodeKind::Map(entries) = &node.kind else {
            decoder.wrong_type(node, "a mapping");
            return None;
        };
        let mut out = Self::new();
        for entry in entries {
            let mark = decoder.path.mark();
            decoder.path.push_field(&entry.key);
            decoder.note_place(entry.span());
            if let Some(key) = K::from_key(&entry.key) {
                let value = if entry.value.is_null() {
                    T::from_null().or_else(|| {
                        decoder.wrong_type(&entry.value, &T::SHAPE.describe());
                        None
                    })
                } else {
                    T::decode(&entry.value, decoder)
                };
                if let Some(value) = value {
                    out.insert(key, value);
                }
            } else {
                let message =
                    format!("the key `{}` has to be {}", shorten(&entry.key), K::EXPECTED);
                let problem =
                    Diagnostic::new(codes::IST0106, message).at(decoder.source, entry.key_span, "");
                decoder.report(problem);
            }
            decoder.path.truncate(mark);
        }
        Some(out)
    }
}

fn plural(shape: &Shape) -> String {
    match shape {
        Shape::Scalar("text") => "texts".to_owned(),
        Shape::Scalar(name) => (*name).to_owned(),
        Shape::Enum(schema) => format!("{} names", schema.name),
        Shape::Message(schema) => format!("{} entries", schema.name),
        Shape::List(_) => "lists".to_owned(),
        Shape::Map(_) => "mappings".to_owned(),
    }
}
