//! Which requests a route takes.

/// A compiled route match.
#[derive(Debug, Default)]
pub struct RouteMatch {}
