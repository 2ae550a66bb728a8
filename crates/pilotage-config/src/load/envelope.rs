//! What stands around the `spec` of an object.

use std::marker::PhantomData;

use crate::decode::{Decode, Decoder};
use crate::metadata::Metadata;
use crate::schema::{FieldInfo, MessageSchema, Shape};
use crate::yaml::{Entry, Node, NodeKind};

/// The outermost fields of one of Istio's objects, whose `spec` is a `T`.
pub(super) struct Envelope<T>(PhantomData<T>);

/// A value of any form that is not read.
struct Anything;

impl Decode for Anything {
    const SHAPE: Shape = Shape::Scalar("anything");

    fn decode(_: &Node, _: &mut Decoder<'_>) -> Option<Self> {
        Some(Self)
    }
}

impl<T: Decode> Envelope<T> {
    /// Its fields.
    pub(super) const SCHEMA: &'static MessageSchema = &MessageSchema {
        name: "a Kubernetes object",
        fields: &[
            FieldInfo { name: "apiVersion", original_name: "apiVersion", shape: Anything::SHAPE },
            FieldInfo { name: "kind", original_name: "kind", shape: Anything::SHAPE },
            FieldInfo { name: "metadata", original_name: "metadata", shape: Metadata::SHAPE },
            FieldInfo { name: "spec", original_name: "spec", shape: T::SHAPE },
            FieldInfo { name: "status", original_name: "status", shape: Anything::SHAPE },
        ],
    };
}

/// Fields of `metadata` that exist and mean nothing for traffic.
const UNUSED_METADATA: [&str; 6] = [
    "clusterName",
    "deletionGracePeriodSeconds",
    "finalizers",
    "initializers",
    "managedFields",
    "selfLink",
];

/// Reads the `metadata` of an object. Fields that Kubernetes knows and we do not use are skipped;
/// others are handled like any unknown field.
pub(super) fn metadata(entry: &Entry, decoder: &mut Decoder<'_>) -> Metadata {
    let mut place = Metadata::default();
    let Some(field) = Envelope::<Metadata>::SCHEMA.field("metadata") else { return place };
    match &entry.value.kind {
        NodeKind::Map(entries) => {
            let used = entries.iter().filter(|entry| !UNUSED_METADATA.contains(&&*entry.key));
            let node = Node { kind: NodeKind::Map(used.cloned().collect()), ..entry.value };
            let entry = Entry { key: entry.key.clone(), key_span: entry.key_span, value: node };
            decoder.set(field, &entry, &mut place);
        }
        _ => decoder.set(field, entry, &mut place),
    }
    place
}
