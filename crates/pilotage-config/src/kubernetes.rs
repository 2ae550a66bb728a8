//! The kinds of Kubernetes that traffic depends on, as far as it does.

pub mod config_map;
pub mod endpoint_slice;
pub mod endpoints;
pub mod namespace;
pub mod node;
pub mod pod;
pub mod secret;
pub mod service;
pub mod workload;

pub use config_map::{Authorities, ConfigMap};
pub use endpoint_slice::{EndpointSlice, SliceEndpoint, SlicePort};
pub use endpoints::Endpoints;
pub use namespace::Namespace;
pub use node::Node;
pub use pod::{Pod, PodSpec, PodStatus};
pub use secret::{Secret, SecretBytes};
pub use service::{IntOrString, Service, ServicePort, ServiceSpec};
pub use workload::{Workload, WorkloadKind};
