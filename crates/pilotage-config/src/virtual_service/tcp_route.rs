//! `tcp[]`: one rule for TCP connections.

use super::{L4MatchAttributes, RouteDestination};
use crate::message::message;

message! {
    /// A rule: which connections it takes, and where they go.
    pub struct TcpRoute as "TCPRoute" {
        /// Blocks of conditions, one of which has to hold. None means every connection.
        pub match_ as "match": Vec<L4MatchAttributes>,
        /// Where connections go, by weight.
        pub route: Vec<RouteDestination>,
    }
}
