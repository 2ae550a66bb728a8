//! `http[].corsPolicy`: cross-origin resource sharing.

use super::StringMatch;
use crate::duration::Duration;
use crate::message::{enumeration, message};

message! {
    /// Which pages of other origins may use the answers.
    pub struct CorsPolicy {
        /// Deprecated: origins, exact. Used when `allow_origins` is absent.
        pub allow_origin: Vec<String>,
        /// Origins that are allowed.
        pub allow_origins: Vec<StringMatch>,
        /// Methods to name in answers to preflights.
        pub allow_methods: Vec<String>,
        /// Request headers to name in answers to preflights.
        pub allow_headers: Vec<String>,
        /// Response headers that pages may read.
        pub expose_headers: Vec<String>,
        /// How long the answer to a preflight may be kept.
        pub max_age: Option<Duration>,
        /// Whether credentials may be sent.
        pub allow_credentials: Option<bool>,
        /// What happens to preflights of other origins.
        pub unmatched_preflights: UnmatchedPreflights,
    }
}

enumeration! {
    /// What happens to preflights whose origin is not allowed.
    pub enum UnmatchedPreflights {
        /// The default: like `FORWARD`.
        #[default]
        Unspecified = 0 "UNSPECIFIED",
        /// They go to the destination.
        Forward = 1 "FORWARD",
        /// They are answered without CORS headers.
        Ignore = 2 "IGNORE",
    }
}
