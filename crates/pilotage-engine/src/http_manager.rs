//! The HTTP connection manager of a filter chain: its options, its filters, and where its routes are.

mod compile;

use std::sync::Arc;
use std::time::Duration;

use crate::address::Cidr;
use crate::header_names::HeaderNames;
use crate::http2_options::Http2Options;
use crate::listener::Direction;
use crate::route_table::RouteTable;
use crate::tables::Tables;

/// Which HTTP versions clients may speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codec {
    /// Found out from ALPN or the first bytes.
    #[default]
    Auto,
    /// HTTP/1 only.
    Http1,
    /// HTTP/2 only.
    Http2,
}

/// What happens to the `server` header of answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerHeader {
    /// Replaced by our own name.
    #[default]
    Overwrite,
    /// Ours unless the upstream sent one.
    AppendIfAbsent,
    /// Left as it is, absent included.
    PassThrough,
}

/// What happens to `%2F`, `%2f`, `%5C` and `%5c` in paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EscapedSlashes {
    /// Nothing.
    #[default]
    Keep,
    /// 400.
    Reject,
    /// A redirect to the path with slashes.
    UnescapeAndRedirect,
    /// They become slashes.
    UnescapeAndForward,
}

/// What happens to `x-forwarded-client-cert`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardClientCert {
    /// Removed.
    #[default]
    Sanitize,
    /// Forwarded if the connection is mutual TLS.
    ForwardOnly,
    /// Own details appended if the connection is mutual TLS.
    AppendForward,
    /// Replaced by own details if the connection is mutual TLS.
    SanitizeSet,
    /// Forwarded always.
    AlwaysForwardOnly,
}

/// Which details of the client's certificate go into `x-forwarded-client-cert`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientCertDetails {
    /// `Subject`.
    pub subject: bool,
    /// `Cert`.
    pub cert: bool,
    /// `Chain`.
    pub chain: bool,
    /// `DNS`.
    pub dns: bool,
    /// `URI`.
    pub uri: bool,
}

/// What happens to requests with a header name that holds an underscore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnderscoreHeaders {
    /// Nothing.
    #[default]
    Allow,
    /// 400.
    Reject,
    /// The header is dropped.
    Drop,
}

/// Filters that the chain runs, as far as the engine knows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    /// `envoy.filters.http.fault`: routes may inject faults.
    pub fault: bool,
    /// `envoy.filters.http.cors`: routes may answer preflight requests.
    pub cors: bool,
    /// `envoy.filters.http.grpc_web`.
    pub grpc_web: bool,
    /// `envoy.filters.http.dynamic_forward_proxy`: hosts of requests are resolved for clusters that lead there.
    pub dynamic_forward_proxy: bool,
    /// Whether CORS comes before fault.
    pub cors_before_fault: bool,
}

/// Where a connection manager finds its routes.
#[derive(Clone, Debug)]
pub enum RouteSource {
    /// In itself.
    Inline(Arc<RouteTable>),
    /// In the route configuration of that name, whatever it holds when a request arrives.
    Named(Arc<str>),
}

/// Tracing, as far as it changes requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tracing {
    /// Percent of new traces that are sampled.
    pub random_sampling_percent: f64,
    /// Percent of requests that a client may force to be traced.
    pub client_sampling_percent: f64,
    /// Upper limit of all sampling.
    pub overall_sampling_percent: f64,
}

/// One HTTP connection manager.
#[derive(Debug)]
pub struct HttpManager {
    /// Prefix of its statistics.
    pub stat_prefix: Arc<str>,
    /// Versions that clients may speak.
    pub codec: Codec,
    /// Routes.
    pub routes: RouteSource,
    /// Filters.
    pub filters: Filters,
    /// Which way its traffic flows.
    pub direction: Direction,
    /// The client's address is that of its connection, and `x-forwarded-for` is ours to write.
    pub use_remote_address: bool,
    /// How many proxies in front of this one are to be believed.
    pub trusted_hops: u32,
    /// `x-forwarded-for` is not appended to.
    pub skip_xff_append: bool,
    /// Address ranges whose requests count as internal.
    pub(crate) internal_ranges: Vec<Cidr>,
    /// Resolves `.` and `..` in paths, as RFC 3986 says.
    pub normalize_path: bool,
    /// Makes one slash of several.
    pub merge_slashes: bool,
    /// What to do with escaped slashes.
    pub escaped_slashes: EscapedSlashes,
    /// The `server` header of answers.
    pub server_name: http::HeaderValue,
    /// What happens to it.
    pub server_header: ServerHeader,
    /// `via` of requests and answers; empty: none.
    pub via: Arc<str>,
    /// Makes a `x-request-id` where there is none.
    pub generate_request_id: bool,
    /// Keeps the `x-request-id` of external clients.
    pub preserve_external_request_id: bool,
    /// Sends `x-request-id` with every answer.
    pub request_id_in_response: bool,
    /// What happens to `x-forwarded-client-cert`.
    pub forward_client_cert: ForwardClientCert,
    /// What goes into it.
    pub client_cert_details: ClientCertDetails,
    /// HTTP/1.0 requests are served rather than refused with 426.
    pub accept_http_10: bool,
    /// Host of HTTP/1.0 requests without one.
    pub default_host_for_http_10: Option<Arc<str>>,
    /// How names of headers are spelled over HTTP/1.
    pub header_names: HeaderNames,
    /// HTTP/1 trailers are passed on.
    pub enable_trailers: bool,
    /// `100 Continue` is passed on rather than answered here.
    pub proxy_100_continue: bool,
    /// Upgrades that clients may ask for, lower case: `websocket`.
    pub upgrades: Vec<Arc<str>>,
    /// A stream without activity for this long is answered with 408 or reset; `None`: never.
    pub stream_idle_timeout: Option<Duration>,
    /// The whole request must have arrived within this time.
    pub request_timeout: Option<Duration>,
    /// The head of a request must have arrived within this time.
    pub request_headers_timeout: Option<Duration>,
    /// A connection without requests for this long is closed; `None`: never.
    pub idle_timeout: Option<Duration>,
    /// A connection older than this is drained.
    pub max_connection_duration: Option<Duration>,
    /// Longest life of a stream.
    pub max_stream_duration: Option<Duration>,
    /// Time between announcing and closing a drained connection.
    pub drain_timeout: Duration,
    /// Requests after which a connection is drained.
    pub max_requests_per_connection: Option<u32>,
    /// Largest head in bytes.
    pub max_request_headers_bytes: u32,
    /// Most headers of a request.
    pub max_headers_count: u32,
    /// Header names with underscores.
    pub underscore_headers: UnderscoreHeaders,
    /// HTTP/2 connections of clients.
    pub http2: Http2Options,
    /// Removes a port equal to the listener's from `Host`.
    pub strip_matching_host_port: bool,
    /// Removes every port from `Host`.
    pub strip_any_host_port: bool,
    /// Removes a trailing dot from `Host`.
    pub strip_trailing_host_dot: bool,
    /// Adds `x-forwarded-port`.
    pub append_x_forwarded_port: bool,
    /// Tracing, when switched on.
    pub tracing: Option<Tracing>,
    /// Router filter: adds no `x-envoy-…` headers.
    pub suppress_envoy_headers: bool,
    /// Router filter: `x-envoy-expected-rq-timeout-ms` of clients is obeyed.
    pub respect_expected_timeout: bool,
}

impl HttpManager {
    /// The routes that apply now. `None`: the route configuration has not arrived, and every request is answered
    /// with 404 `NR`.
    pub fn route_table<'a>(&'a self, tables: &'a Tables) -> Option<&'a Arc<RouteTable>> {
        match &self.routes {
            RouteSource::Inline(table) => Some(table),
            RouteSource::Named(name) => tables.route_table(name),
        }
    }

    /// Whether a client may upgrade to `protocol`, where the route does not say otherwise.
    pub fn allows_upgrade(&self, protocol: &str) -> bool {
        self.upgrades.iter().any(|u| u.eq_ignore_ascii_case(protocol))
    }
}
