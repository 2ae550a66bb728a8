//! A virtual host: an ordered list of routes for some domains.

use std::sync::Arc;

use crate::header_operations::LevelOperations;
use crate::route::RouteEntry;

/// One virtual host.
#[derive(Debug)]
pub struct VirtualHost {
    /// What its routes share.
    pub settings: Arc<VirtualHostSettings>,
    /// Routes, tried in order.
    pub routes: Vec<Arc<RouteEntry>>,
}

/// What all routes of a virtual host share; each route holds it, so that an answer can name its virtual host.
#[derive(Debug)]
pub struct VirtualHostSettings {
    /// Name.
    pub name: Arc<str>,
    /// Domains as configured.
    pub domains: Vec<Arc<str>>,
    /// Whether plain-text requests are redirected to https.
    pub require_tls: RequireTls,
    /// Tells the upstream which attempt it sees: `x-envoy-attempt-count`.
    pub request_attempt_count: bool,
    /// Tells the client how many attempts were made.
    pub response_attempt_count: bool,
    /// Header operations of this virtual host and of its route configuration.
    pub(crate) operations: LevelOperations,
    /// Operations of the route configuration.
    pub(crate) table_operations: Arc<LevelOperations>,
    /// Whether the operations of the most specific level win.
    pub(crate) most_specific_wins: bool,
}

/// Which requests must be TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequireTls {
    /// None.
    #[default]
    None,
    /// Those of external clients.
    ExternalOnly,
    /// All.
    All,
}
