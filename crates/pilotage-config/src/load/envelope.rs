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
            field("apiVersion", Anything::SHAPE, "The group and version of the kind."),
            field("kind", Anything::SHAPE, "What the object is."),
            field("metadata", Metadata::SHAPE, "Name, namespace, labels and so on."),
            field("spec", T::SHAPE, "What is asked for."),
            field("status", Anything::SHAPE, "What became of it; written by others."),
        ],
        one_of: &[],
    };
}

const fn field(name: &'static str, shape: Shape, description: &'static str) -> FieldInfo {
    FieldInfo { name, original_name: name, shape, description }
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
