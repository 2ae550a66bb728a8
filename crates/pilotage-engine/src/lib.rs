//! The engine: Envoy v3 resources in, routing decisions out.
//!
//! A proxy keeps one [`Tables`] per generation of configuration and asks it about each connection and request:
//!
//! 1. a connection arrives at a [`listener::ListenerTable`]; [`listener::ListenerTable::redirected`] hands it to the
//!    listener of its original destination, [`listener::ListenerTable::chain`] chooses the filter chain;
//! 2. an HTTP request goes through [`forwarded::prepare`] (path normalization, `x-forwarded-…`, `x-request-id`), then
//!    [`decide`] says what becomes of it: a [`local_reply::LocalReply`] or a [`forward::Forward`];
//! 3. each attempt asks [`cluster::ClusterTable::pick`] for an endpoint and [`forward::Forward`] for the head to send;
//!    [`retries::RetryState`] says whether there is another attempt;
//! 4. the answer's headers go through [`forward::Forward::apply_response_headers`] and [`forwarded::finish`].
//!
//! Nothing here waits, reads a clock, draws its own random numbers, or can panic on what arrives from outside.

mod address;
pub mod circuit_breakers;
pub mod cluster;
mod connection_limits;
pub mod cors;
mod decide;
pub mod direct_response;
pub mod dns;
pub mod domains;
mod durations;
pub mod endpoint;
pub mod endpoint_set;
pub mod env;
pub mod faults;
pub mod filter_chain;
pub mod forward;
pub mod forwarded;
pub mod fraction;
pub mod hash_policy;
pub mod header_format;
pub mod header_names;
mod header_operations;
pub mod headers;
pub mod http2_options;
pub mod http_manager;
pub mod listener;
pub mod live_state;
mod load_assignment;
pub mod load_balancing;
pub mod local_reply;
pub mod metadata;
pub mod mirrors;
mod names;
pub mod origin;
pub mod outlier_detection;
mod path;
mod priorities;
pub mod proxy_protocol;
pub mod redirect;
pub mod regular_expression;
mod rejection;
pub mod request;
pub mod response_flag;
pub mod retries;
mod rewrite;
pub mod route;
pub mod route_match;
pub mod route_table;
mod schedule;
pub mod secrets;
pub mod server_tls;
pub mod string_match;
mod tables;
pub mod tcp_route;
pub mod timeouts;
pub mod tls;
pub mod trace;
pub mod upstream_protocol;
pub mod upstream_tls;
pub mod virtual_host;
mod weighted_clusters;
pub mod zone_routing;

pub use decide::{Decision, decide};
pub use env::Env;
pub use live_state::LiveState;
pub use rejection::{FieldError, Rejection, ResourceKind, Severity};
pub use request::{Downstream, RequestHead};
pub use tables::Tables;
pub use trace::{NoTrace, Trace};
