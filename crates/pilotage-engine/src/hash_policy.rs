//! What of a request is hashed for consistent hashing.

use std::sync::Arc;
use std::time::Duration;

/// One source of the hash.
#[derive(Clone, Debug)]
pub struct HashPolicy {
    /// What is hashed.
    pub source: HashSource,
    /// When this source gives a hash, later ones are not looked at.
    pub terminal: bool,
}

/// What is hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashSource {
    /// A header; several values are sorted first.
    Header(http::HeaderName),
    /// A cookie, which is made when it is missing and `ttl` is set.
    Cookie {
        /// Name.
        name: Arc<str>,
        /// Life of a new cookie; zero: a session cookie.
        ttl: Option<Duration>,
        /// Path of a new cookie.
        path: Arc<str>,
        /// Further attributes of a new cookie.
        attributes: Vec<(Arc<str>, Arc<str>)>,
    },
    /// The client's address without port.
    SourceIp,
    /// A query parameter.
    QueryParameter(Arc<str>),
}
