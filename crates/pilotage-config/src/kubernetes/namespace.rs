//! Namespace.

use crate::message::message;

message! {
    /// A namespace. What counts are its labels and annotations.
    pub struct Namespace {
    }
}
