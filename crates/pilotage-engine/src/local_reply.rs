//! Answers that the proxy gives itself.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, StatusCode};

use crate::headers::Headers;
use crate::response_flag::ResponseFlags;
use crate::route::RouteEntry;
use crate::virtual_host::VirtualHostSettings;

/// An answer without an upstream.
#[derive(Clone, Debug)]
pub struct LocalReply {
    /// Status.
    pub status: StatusCode,
    /// Headers beyond `content-length` and `content-type`: `location` and what the route adds.
    pub headers: Headers,
    /// Body; plain text unless the headers say otherwise.
    pub body: Bytes,
    /// What went wrong, if anything.
    pub flags: ResponseFlags,
    /// Why: `%RESPONSE_CODE_DETAILS%`.
    pub details: Cow<'static, str>,
    /// The route that answers or was about to be used.
    pub route: Option<Arc<RouteEntry>>,
    /// The virtual host that the request belongs to.
    pub virtual_host: Option<Arc<VirtualHostSettings>>,
    /// The cluster that was meant, if it exists.
    pub cluster: Option<Arc<str>>,
    /// gRPC status to answer gRPC requests with, where the HTTP status alone does not say it.
    pub grpc_status: Option<u32>,
    /// Nothing in it is an error to tell gRPC clients in their way.
    pub as_http: bool,
    /// To wait before answering: an injected delay.
    pub delay: Option<Duration>,
    /// A `Connection: close` is due: the client broke the protocol.
    pub close: bool,
}

/// An answer as the client gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Header fields.
    pub headers: Headers,
    /// The whole body.
    pub body: Bytes,
}

impl LocalReply {
    /// An answer of `status` with a text body, which may be empty.
    pub fn new(status: StatusCode, body: impl Into<Bytes>, details: &'static str) -> Self {
        Self {
            status,
            headers: Headers::new(),
            body: body.into(),
            flags: ResponseFlags::NONE,
            details: Cow::Borrowed(details),
            route: None,
            virtual_host: None,
            cluster: None,
            grpc_status: None,
            as_http: false,
            delay: None,
            close: false,
        }
    }

    /// The same with `flags`.
    #[must_use]
    pub fn with_flags(mut self, flags: ResponseFlags) -> Self {
        self.flags.insert(flags);
        self
    }

    /// The answer to send. A gRPC request gets status 200 with the error in `grpc-status` and `grpc-message`; an
    /// answer to HEAD has no body.
    pub fn into_answer(self, is_grpc: bool, is_head: bool) -> Answer {
        let mut status = StatusCode::OK;
        let mut body = Bytes::new();
        let mut headers = self.headers;
        if is_grpc && !self.as_http {
            let code = self.grpc_status.unwrap_or_else(|| grpc_status(self.status));
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            headers.insert(GRPC_STATUS, HeaderValue::from(code));
            if !self.body.is_empty()
                && !is_head
                && let Ok(message) = HeaderValue::from_str(&percent_encoded(&self.body))
            {
                headers.insert(GRPC_MESSAGE, message);
            }
        } else {
            status = self.status;
            if self.body.is_empty() {
                headers.remove(CONTENT_TYPE);
            } else {
                headers.insert_if_absent(CONTENT_TYPE, || HeaderValue::from_static("text/plain"));
            }
            // These have no body, whatever the route says.
            let bodiless = matches!(self.status.as_u16(), 100..=199 | 204 | 304);
            if !bodiless {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
            }
            if !bodiless && !is_head {
                body = self.body;
            }
        }
        Answer { status, headers, body }
    }
}

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The gRPC status that stands for an HTTP status.
pub fn grpc_status(status: StatusCode) -> u32 {
    match status.as_u16() {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

/// `message` as gRPC writes it in a header: everything but printable ASCII as `%XX`, and `%` too.
fn percent_encoded(message: &[u8]) -> String {
    let mut text = String::with_capacity(message.len());
    for byte in message {
        if (0x20..=0x7e).contains(byte) && *byte != b'%' {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::LocalReply;

    #[test]
    fn a_grpc_client_gets_a_grpc_error() {
        let reply = LocalReply::new(StatusCode::SERVICE_UNAVAILABLE, "no healthy upstream", "x");
        let response = reply.clone().into_answer(true, false);
        assert_eq!(response.status, 200);
        assert_eq!(response.headers["grpc-status"], "14");
        assert_eq!(response.headers["grpc-message"], "no healthy upstream");
        assert!(response.body.is_empty());
        let head = reply.clone().into_answer(true, true);
        assert_eq!(head.headers.get("grpc-message"), None);
        let response = reply.into_answer(false, true);
        assert_eq!(response.status, 503);
        assert_eq!(response.headers["content-length"], "19");
        assert!(response.body.is_empty());
    }
}
