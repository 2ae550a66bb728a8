//! Virtual hosts by domain.

/// Index of domains.
#[derive(Debug, Default)]
pub(crate) struct Domains {}
