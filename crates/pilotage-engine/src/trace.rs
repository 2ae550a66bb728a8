//! Watching a decision being taken.

use std::fmt;

use crate::route::RouteEntry;
use crate::virtual_host::VirtualHost;

/// Receives each step of [`crate::decide`]. Every method does nothing unless overridden; with [`NoTrace`] all calls
/// vanish from the compiled code.
pub trait Trace {
    /// Whether somebody listens: lets the decision skip preparing what would be thrown away.
    const ACTIVE: bool = true;

    /// `chosen` is the virtual host of requests to `authority`, or there is none.
    fn virtual_host(&mut self, authority: &str, chosen: Option<&VirtualHost>) {
        let _ = (authority, chosen);
    }

    /// Route `index` of the virtual host is tried.
    fn route(&mut self, index: usize, route: &RouteEntry) {
        let _ = (index, route);
    }

    /// One condition of the route being tried holds or does not.
    fn condition(&mut self, condition: Condition<'_>, holds: bool) {
        let _ = (condition, holds);
    }

    /// Cluster `index` of a weighted route was drawn: `draw` of `total` fell to it.
    fn weighted_cluster(&mut self, index: usize, cluster: &str, draw: u64, total: u64) {
        let _ = (index, cluster, draw, total);
    }

    /// The cluster that the route names was looked up.
    fn cluster(&mut self, name: &str, exists: bool) {
        let _ = (name, exists);
    }

    /// Something else that shaped the outcome, in words: a fault drawn, a mirror, a CORS answer.
    fn note(&mut self, note: fmt::Arguments<'_>) {
        let _ = note;
    }
}

/// One condition of a route match.
#[derive(Clone, Copy, Debug)]
pub enum Condition<'a> {
    /// On the path: kind (`prefix`, `path`, `safe_regex`, `path_separated_prefix`, `connect`) and operand.
    Path(&'static str, &'a str),
    /// On the header of that name.
    Header(&'a str),
    /// On the query parameter of that name.
    QueryParameter(&'a str),
    /// A share of all requests, in millionths.
    Fraction(u32),
    /// The request must be gRPC.
    Grpc,
    /// On metadata that a filter of that name provides.
    Metadata(&'a str),
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTrace;

impl Trace for NoTrace {
    const ACTIVE: bool = false;
}
