//! `http[].redirect`.

use crate::message::{enumeration, message};

message! {
    /// An answer that sends the client elsewhere.
    pub struct HttpRedirect as "HTTPRedirect" {
        /// The new path.
        pub uri: String,
        /// The new host.
        pub authority: String,
        /// The new port.
        pub port: Option<u32>,
        /// How to find the new port instead.
        pub derive_port: Option<RedirectPortSelection>,
        /// The new scheme.
        pub scheme: String,
        /// The status code; 0 means 301.
        pub redirect_code: u32,
        /// What replaces the matched beginning of the path.
        pub prefix_rewrite: String,
    }
    one of [port, derive_port]
}

enumeration! {
    /// Where the port of a redirect comes from.
    pub enum RedirectPortSelection {
        /// The usual port of the scheme.
        #[default]
        FromProtocolDefault = 0 "FROM_PROTOCOL_DEFAULT",
        /// The port of the listener that took the request.
        FromRequestPort = 1 "FROM_REQUEST_PORT",
    }
}
