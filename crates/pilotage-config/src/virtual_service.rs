//! VirtualService: where requests go.

pub mod cors;
pub mod delegate;
pub mod destination;
pub mod direct_response;
pub mod faults;
pub mod header_operations;
pub mod http_match;
pub mod http_route;
pub mod l4_match;
pub mod mirrors;
pub mod redirect;
pub mod retries;
pub mod rewrite;
pub mod string_match;
pub mod tcp_route;
pub mod tls_route;

pub use cors::{CorsPolicy, UnmatchedPreflights};
pub use delegate::Delegate;
pub use destination::{Destination, PortSelector, RouteDestination};
pub use direct_response::{HttpBody, HttpDirectResponse};
pub use faults::{Abort, Delay, HttpFaultInjection, Percent, grpc_status_number};
pub use header_operations::{HeaderOperations, Headers};
pub use http_match::{CLAIMS, HttpMatchRequest};
pub use http_route::{HttpRoute, HttpRouteDestination};
pub use l4_match::{L4MatchAttributes, TlsMatchAttributes};
pub use mirrors::HttpMirrorPolicy;
pub use redirect::{HttpRedirect, RedirectPortSelection};
pub use retries::{HttpRetry, retriable_status_code};
pub use rewrite::{HttpRewrite, RegexRewrite};
pub use string_match::StringMatch;
pub use tcp_route::TcpRoute;
pub use tls_route::TlsRoute;

use std::sync::Arc;

use crate::message::message;

message! {
    /// Rules that decide where the requests for some hosts go.
    pub struct VirtualService {
        /// The hosts that the rules are for. Empty in a delegate, which other VirtualServices
        /// splice in.
        pub hosts: Vec<String>,
        /// The gateways that the rules apply to; `mesh` means the sidecars. Absent means `mesh`.
        pub gateways: Vec<String>,
        /// Rules for HTTP requests; the first that matches is used. Shared with what is made of the object: they are
        /// most of it.
        pub http: Vec<Arc<HttpRoute>>,
        /// Rules for TLS connections that are passed through, chosen by server name.
        pub tls: Vec<TlsRoute>,
        /// Rules for other connections.
        pub tcp: Vec<TcpRoute>,
        /// The namespaces that see this object: `.`, `*` or names. Absent means the mesh default.
        pub export_to: Vec<String>,
    }
}
