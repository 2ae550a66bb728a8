//! Metadata of routes, which messages keep encoded: see `build.rs`.

use prost::Message as _;

use crate::envoy::config::core::v3::Metadata;

impl Metadata {
    /// The metadata in `encoded`, which is that of a route; nothing, when it has none.
    #[must_use]
    pub fn of_route(encoded: &[u8]) -> Option<Self> {
        if encoded.is_empty() { None } else { Self::decode(encoded).ok() }
    }
}
