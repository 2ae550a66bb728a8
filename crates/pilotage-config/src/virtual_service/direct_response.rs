//! `http[].directResponse`.

use crate::decode::Bytes;
use crate::message::message;

message! {
    /// A fixed answer.
    pub struct HttpDirectResponse as "HTTPDirectResponse" {
        /// The status code.
        pub status: u32,
        /// The body; absent means none.
        pub body: Option<HttpBody>,
    }
}

message! {
    /// The body of a fixed answer.
    pub struct HttpBody as "HTTPBody" {
        /// As text.
        pub string: Option<String>,
        /// As bytes.
        pub bytes: Option<Bytes>,
    }
    one of [string, bytes]
}
