//! `http[].mirrors[]`: copies of requests.

use super::{Destination, Percent};
use crate::message::message;

message! {
    /// A destination that gets copies of requests, whose answers are thrown away.
    pub struct HttpMirrorPolicy as "HTTPMirrorPolicy" {
        /// Where copies go.
        pub destination: Option<Destination>,
        /// The share of requests that is copied. Absent means all.
        pub percentage: Option<Percent>,
    }
}
