//! Mirroring: copies of requests whose answers nobody waits for.

use std::sync::Arc;

use crate::fraction::Fraction;

/// One mirror of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// Cluster that gets the copies.
    pub cluster: Arc<str>,
    /// Share of the requests that are copied.
    pub fraction: Fraction,
    /// The copy's host keeps its name, rather than getting `-shadow` appended.
    pub keep_host: bool,
}
