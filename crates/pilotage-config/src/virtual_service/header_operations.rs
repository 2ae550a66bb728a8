//! `headers`: changes to headers.

use std::collections::BTreeMap;

use crate::message::message;

message! {
    /// Changes to the headers of requests and responses.
    pub struct Headers {
        /// Changes before a request is forwarded.
        pub request: Option<HeaderOperations>,
        /// Changes before a response is returned.
        pub response: Option<HeaderOperations>,
    }
}

message! {
    /// Changes to headers, names as written.
    pub struct HeaderOperations {
        /// Headers to overwrite or add.
        pub set: BTreeMap<String, String>,
        /// Values to append.
        pub add: BTreeMap<String, String>,
        /// Headers to remove.
        pub remove: Vec<String>,
    }
}
