//! Command operators in header values: `%REQ(x-user)%`, `%DOWNSTREAM_REMOTE_ADDRESS%` and so on.

use std::net::SocketAddr;
use std::time::Duration;

use http::{HeaderMap, Version};

use crate::forward::Exchange;
use crate::request::Downstream;

/// What command operators may look at.
#[derive(Clone, Copy, Debug)]
pub struct FormatContext<'a> {
    /// Request headers.
    pub request_headers: &'a HeaderMap,
    /// Method.
    pub method: &'a str,
    /// Authority.
    pub authority: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// Scheme.
    pub scheme: &'a str,
    /// Version of the client's HTTP.
    pub version: Version,
    /// The client's connection.
    pub downstream: &'a Downstream<'a>,
    /// The client's address as trusted.
    pub client: SocketAddr,
    /// Response headers, once there are any.
    pub response_headers: Option<&'a HeaderMap>,
    /// What else is known.
    pub exchange: &'a Exchange<'a>,
    /// Name of the route.
    pub route_name: &'a str,
    /// Wall-clock time now, since the Unix epoch.
    pub unix_time: Duration,
}
