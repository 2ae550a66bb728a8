//! Answers that a route gives itself.

use bytes::Bytes;
use http::StatusCode;

/// A fixed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectResponse {
    /// Status.
    pub status: StatusCode,
    /// Body; may be empty.
    pub body: Bytes,
}
