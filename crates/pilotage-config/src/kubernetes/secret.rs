//! Secret.

use std::collections::BTreeMap;
use std::fmt;

use crate::decode::{Bytes, Decode, Decoder};
use crate::message::message;
use crate::schema::Shape;
use crate::yaml::Node;

message! {
    /// A secret. Its values never show up in messages or debug output.
    pub struct Secret {
        /// What it is for, for instance `kubernetes.io/tls`.
        pub type_ as "type": String,
        /// The values by name, written in base64.
        pub data: BTreeMap<String, SecretBytes>,
        /// Values written as text, which win over `data`.
        pub string_data: BTreeMap<String, SecretText>,
    }
}

impl Secret {
    /// The value of this name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.string_data
            .get(name)
            .map(|text| text.0.as_bytes())
            .or_else(|| self.data.get(name).map(|bytes| bytes.0.as_slice()))
    }
}

/// A secret value.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct SecretBytes(pub Vec<u8>);

/// A secret value that was written as text.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct SecretText(pub String);

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} secret bytes>", self.0.len())
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} secret bytes>", self.0.len())
    }
}

impl Decode for SecretBytes {
    const SHAPE: Shape = Bytes::SHAPE;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        Bytes::decode(node, decoder).map(|bytes| Self(bytes.0))
    }
}

impl Decode for SecretText {
    const SHAPE: Shape = String::SHAPE;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        String::decode(node, decoder).map(Self)
    }
}
