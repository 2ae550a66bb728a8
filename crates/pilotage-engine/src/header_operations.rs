//! Header operations: what one level of configuration adds, sets and removes.

use http::HeaderName;

/// Operations of one level (weighted cluster, route, virtual host, route configuration) on requests and answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct LevelOperations {
    pub(crate) request: HeaderOperations,
    pub(crate) response: HeaderOperations,
}

/// Operations on one set of headers: removals first, then what is set, then what is added.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderOperations {
    pub(crate) remove: Vec<HeaderName>,
}
