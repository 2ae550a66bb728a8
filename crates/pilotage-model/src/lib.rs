//! Configuration with its names resolved: who sees which service, which rules hold for it, and what one proxy needs.
//!
//! [`build`] turns all objects into a [`Snapshot`]; [`view`] takes out of it what one [`ProxyClass`] needs, a
//! [`ProxyView`]. Views are values: equal views compile to equal resources. Nothing here reads a clock, a file or the
//! network.
//!
//! After an edit, [`build_after`] and [`view_after`] say the same in less time: what cannot have changed is the very
//! same as in their previous results, so that whoever comes next sees it at a glance.

pub mod age;
pub mod analysis;
pub mod certificates;
pub mod destination_rule;
pub mod endpoint;
pub mod gateway;
pub mod host;
pub mod inbound;
pub mod labels;
pub mod locality;
pub mod mesh;
pub mod origin;
pub mod peer_authentication;
pub mod protocol;
pub mod proxy;
pub mod registry;
pub mod secrets;
pub mod service;
pub mod sidecar;
pub mod snapshot;
#[cfg(test)]
mod testing;
mod view;
pub mod virtual_service;
pub mod visibility;
pub mod workloads;

pub use host::Host;
pub use mesh::Mesh;
pub use origin::Origin;
pub use protocol::Protocol;
pub use proxy::{ProxyClass, ProxyKind};
pub use snapshot::{Inputs, Snapshot, build, build_after};
pub use view::{ProxyView, ServiceView, view, view_after};
