//! The Envoy v3 and discovery messages Pilotage speaks, with protobuf-JSON.
//!
//! This is the only contract between the control plane (which compiles configuration into these messages) and the
//! data plane (which obeys them). It holds no behaviour: messages, their JSON form, names of types, and
//! [`ResourceSet`], the unit in which resources travel.

mod any;
pub mod json;
mod messages;
mod metadata;
mod resource_set;

pub use any::{AnyError, pack, type_name, type_url, unpack};
pub use messages::{envoy, google, istio, udpa};
pub use prost::{Message, Name};
pub use prost_types::{self, Any, Duration, Struct};
pub use resource_set::{Inconsistency, LocalCluster, ResourceSet};
