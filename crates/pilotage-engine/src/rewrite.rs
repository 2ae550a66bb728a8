//! Rewriting paths and hosts of requests on their way upstream.

use std::sync::Arc;

use regex::bytes::Regex;

/// How the path changes.
#[derive(Clone, Debug)]
pub(crate) enum PathRewrite {
    /// What the match took (a prefix, or the whole path) becomes this.
    Prefix(Box<str>),
    /// Every match of a regular expression becomes this.
    Regex(Box<RegexRewrite>),
}

/// A regular expression and what replaces its matches.
#[derive(Clone, Debug)]
pub(crate) struct RegexRewrite {
    pub(crate) pattern: Regex,
    pub(crate) substitution: Box<str>,
}

/// How the host changes.
#[derive(Clone, Debug)]
pub(crate) enum HostRewrite {
    /// To this.
    Literal(Arc<str>),
    /// To the name of the endpoint.
    Endpoint,
    /// To the value of a header.
    Header(http::HeaderName),
    /// To what a regular expression makes of the path.
    PathRegex(Box<RegexRewrite>),
}
