//! What is known of a request when it is over.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Version};
use pilotage_engine::endpoint::EndpointAddress;
use pilotage_engine::response_flag::ResponseFlags;
use pilotage_engine::tls::TlsSession;

/// One finished request, or connection that is not HTTP. Names follow Envoy's command operators.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Of the request, from its head to the last byte of the answer.
    pub(crate) duration: Duration,
    /// `%PROTOCOL%`, of the client; `None` for connections that are not HTTP.
    pub(crate) protocol: Option<Version>,
    /// Status that the client saw; 0 when it saw none.
    pub(crate) status: u16,
    pub(crate) flags: ResponseFlags,
    pub(crate) details: Cow<'static, str>,
    /// `%CONNECTION_TERMINATION_DETAILS%`
    pub(crate) termination: Option<&'static str>,
    /// `%UPSTREAM_TRANSPORT_FAILURE_REASON%`
    pub(crate) transport_failure: Option<Cow<'static, str>>,
    /// Body bytes from the client.
    pub(crate) bytes_received: u64,
    /// Body bytes to the client.
    pub(crate) bytes_sent: u64,
    pub(crate) upstream_host: Option<EndpointAddress>,
    pub(crate) upstream_local: Option<SocketAddr>,
    /// `%UPSTREAM_PROTOCOL%`
    pub(crate) upstream_protocol: Option<Version>,
    /// TLS towards the upstream.
    pub(crate) upstream_tls: Option<Arc<TlsSession>>,
    /// `%GRPC_STATUS_NUMBER%`
    pub(crate) grpc_status: Option<i32>,
    pub(crate) upstream_cluster: Option<Arc<str>>,
    pub(crate) downstream_local: SocketAddr,
    pub(crate) downstream_remote: SocketAddr,
    /// `%REQUESTED_SERVER_NAME%`
    pub(crate) server_name: Option<Box<str>>,
    /// The client's TLS, when it ended here.
    pub(crate) tls: Option<Arc<TlsSession>>,
    pub(crate) route_name: Option<Arc<str>>,
    /// The object and field that the route was written in.
    pub(crate) origin: Option<Arc<str>>,
    /// `%UPSTREAM_REQUEST_ATTEMPT_COUNT%`
    pub(crate) attempts: u32,
    /// Only when a log is kept.
    pub(crate) captured: Captured,
}

/// Parts of the request and response heads that the format asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Captured {
    pub(crate) method: Method,
    pub(crate) path: Option<PathAndQuery>,
    pub(crate) authority: Option<HeaderValue>,
    /// In the order of `Format::request_headers`.
    pub(crate) request: Vec<Option<HeaderValue>>,
    /// In the order of `Format::response_headers`.
    pub(crate) response: Vec<Option<HeaderValue>>,
}
