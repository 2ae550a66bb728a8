//! Redirects.

use std::sync::Arc;

use http::StatusCode;

use crate::rewrite::RegexRewrite;

/// Where a route sends its clients.
#[derive(Debug)]
pub struct Redirect {
    /// Status of the answer.
    pub status: StatusCode,
    pub(crate) scheme: Option<Arc<str>>,
    pub(crate) host: Option<Arc<str>>,
    pub(crate) port: Option<u16>,
    pub(crate) path: RedirectPath,
    pub(crate) strip_query: bool,
}

/// What becomes of the path.
#[derive(Debug)]
pub(crate) enum RedirectPath {
    Keep,
    Replace(Box<str>),
    Prefix(Box<str>),
    Regex(Box<RegexRewrite>),
}
