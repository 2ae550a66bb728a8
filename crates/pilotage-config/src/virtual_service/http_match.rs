//! `http[].match[]`: conditions on a request.

use std::collections::BTreeMap;

use super::StringMatch;
use crate::message::message;

/// What keys of `headers` begin with that mean a claim of the request's JSON Web Token and no header.
pub const CLAIMS: &str = "@request.auth.claims";

message! {
    /// Conditions that all have to hold.
    pub struct HttpMatchRequest as "HTTPMatchRequest" {
        /// A name, appended to that of the rule.
        pub name: String,
        /// The path, without query.
        pub uri: Option<StringMatch>,
        /// The scheme, `http` or `https`.
        pub scheme: Option<StringMatch>,
        /// The method.
        pub method: Option<StringMatch>,
        /// The host as the client wrote it, a port included.
        pub authority: Option<StringMatch>,
        /// Headers by name. A null or empty condition means that the header has to be there.
        pub headers: BTreeMap<String, Option<StringMatch>>,
        /// The port of the listener.
        pub port: u32,
        /// Labels of the client's workload.
        pub source_labels: BTreeMap<String, String>,
        /// Gateways, replacing those of the VirtualService for this block.
        pub gateways: Vec<String>,
        /// Query parameters by name. A null or empty condition means that it has to be there.
        pub query_params: BTreeMap<String, Option<StringMatch>>,
        /// Whether the letter case of the path counts not.
        pub ignore_uri_case: bool,
        /// Headers that must not be as described.
        pub without_headers: BTreeMap<String, Option<StringMatch>>,
        /// The namespace of the client's workload.
        pub source_namespace: String,
        /// The prefix of statistics for this route.
        pub stat_prefix: String,
    }
}
