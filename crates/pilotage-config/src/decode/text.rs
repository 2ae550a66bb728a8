//! Text, truth values and bytes.

use super::{Decode, Decoder};
use crate::base64;
use crate::schema::Shape;
use crate::yaml::{Node, NodeKind};

impl Decode for String {
    const SHAPE: Shape = Shape::Scalar("text");

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        if let Some(text) = node.as_str() {
            return Some(text.to_owned());
        }
        decoder.wrong_type(node, "text");
        None
    }
}

impl Decode for bool {
    const SHAPE: Shape = Shape::Scalar("a truth value");

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        if let NodeKind::Bool(value) = node.kind {
            return Some(value);
        }
        decoder.wrong_type(node, "`true` or `false`");
        None
    }
}

/// Bytes, written as base64.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bytes(pub Vec<u8>);

impl Decode for Bytes {
    const SHAPE: Shape = Shape::Scalar("bytes in base64");

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let bytes = node.as_str().and_then(base64::decode);
        if bytes.is_none() {
            decoder.wrong_type(node, "bytes in base64");
        }
        bytes.map(Self)
    }
}
