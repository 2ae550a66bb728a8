//! `tls[]`: one rule for TLS connections that are passed through.

use super::{RouteDestination, TlsMatchAttributes};
use crate::message::message;

message! {
    /// A rule: which connections it takes, and where they go.
    pub struct TlsRoute as "TLSRoute" {
        /// Blocks of conditions, one of which has to hold.
        pub match_ as "match": Vec<TlsMatchAttributes>,
        /// Where connections go, by weight.
        pub route: Vec<RouteDestination>,
    }
}
