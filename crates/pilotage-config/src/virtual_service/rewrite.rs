//! `http[].rewrite`.

use crate::message::message;

message! {
    /// Changes to path and host before a request is forwarded.
    pub struct HttpRewrite as "HTTPRewrite" {
        /// What replaces the part of the path that the rule matched.
        pub uri: String,
        /// The new host.
        pub authority: String,
        /// A replacement by regular expression instead.
        pub uri_regex_rewrite: Option<RegexRewrite>,
    }
}

message! {
    /// A replacement by regular expression.
    pub struct RegexRewrite {
        /// What to look for (RE2).
        pub match_ as "match": String,
        /// What to put there; `\1` is the first group.
        pub rewrite: String,
    }
}
