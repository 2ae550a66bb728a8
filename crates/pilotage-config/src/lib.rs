//! Objects exactly as written: Istio and Kubernetes kinds, loaded from YAML or JSON with the
//! place of every field, and problems as values.
//!
//! [`load`] is a function of a text and its name. It reads no files, no clock and no environment.

mod base64;
mod check;
pub mod codes;
pub mod decode;
pub mod destination_rule;
pub mod diagnostic;
pub mod double;
pub mod duration;
pub mod field_path;
pub mod gateway;
pub mod json_schema;
pub mod kubernetes;
mod load;
pub mod mesh;
mod message;
pub mod metadata;
pub mod object;
pub mod schema;
pub mod security;
pub mod selector;
pub mod service_entry;
pub mod sidecar;
pub mod span;
pub mod virtual_service;
pub mod workload_entry;
pub mod workload_group;
pub mod yaml;

pub use check::check;
pub use codes::Code;
pub use diagnostic::{Diagnostic, Label, ObjectRef, RenderOptions, Severity, Sources};
pub use double::Double;
pub use duration::Duration;
pub use field_path::{FieldPath, SpanTable};
pub use load::{LoadOptions, Loaded, PassedOver, load, load_bytes, load_mesh_config, load_with};
pub use metadata::{Metadata, Timestamp};
pub use object::{Kind, KindName, Object, Source};
pub use span::{FieldSpan, Span};
pub use yaml::{LONGEST_TEXT_BYTES, Limits};
