//! Numbers, which protobuf's JSON also accepts as text.

use super::{Decode, Decoder};
use crate::double::Double;
use crate::schema::Shape;
use crate::yaml::{self, Node, NodeKind};

/// The whole number in a node, written as a number or as text.
fn whole(node: &Node) -> Option<i128> {
    match &node.kind {
        NodeKind::Int(raw) => yaml::integer(raw),
        NodeKind::Float(raw) => exact(yaml::float(raw)?),
        NodeKind::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// `1.0` and `1e3` are whole numbers too.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn exact(value: f64) -> Option<i128> {
    (value.fract() == 0.0 && value.abs() < 9.0e15).then_some(value as i128)
}

macro_rules! whole_numbers {
    ($($type:ty, $name:literal;)+) => {$(
        impl Decode for $type {
            const SHAPE: Shape = Shape::Scalar($name);

            fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
                let value = whole(node).and_then(|value| Self::try_from(value).ok());
                if value.is_none() {
                    decoder.wrong_type(node, $name);
                }
                value
            }
        }
    )+};
}

whole_numbers! {
    u32, "a whole number from 0 to 4294967295";
    i32, "a whole number";
    u64, "a whole number from 0";
    i64, "a whole number";
}

impl Decode for Double {
    const SHAPE: Shape = Shape::Scalar("a number");

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let value = match &node.kind {
            #[expect(clippy::cast_precision_loss, reason = "the field holds floating point")]
            NodeKind::Int(raw) => yaml::integer(raw).map(|value| value as f64),
            NodeKind::Float(raw) => yaml::float(raw),
            NodeKind::String(text) => match &**text {
                "NaN" => Some(f64::NAN),
                "Infinity" => Some(f64::INFINITY),
                "-Infinity" => Some(f64::NEG_INFINITY),
                text => text
                    .starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | '.'))
                    .then(|| text.parse().ok())
                    .flatten(),
            },
            _ => None,
        };
        if value.is_none() {
            decoder.wrong_type(node, "a number");
        }
        value.map(Double::new)
    }
}
