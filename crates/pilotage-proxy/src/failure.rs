//! What can go wrong between a request and its answer: one type with Envoy's status, response flag, details and body.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use pilotage_engine::local_reply::LocalReply;
use pilotage_engine::response_flag::{ResponseFlags, details};

use crate::dns::HostError;

/// Why an attempt, or the whole request, failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The cluster has no endpoint that may be used.
    #[error("no healthy upstream")]
    NoHealthyUpstream,
    /// The host of the request has no address.
    #[error("DNS resolution failure")]
    NotResolved,
    /// Requests have named too many hosts.
    #[error("DNS cache overflow")]
    TooManyHosts,
    /// A circuit breaker refused the request.
    #[error("overflow")]
    Overflow,
    /// The upstream did not take the connection.
    #[error("remote connection failure")]
    Connect {
        /// What the system or the handshake said, as Envoy puts it.
        reason: Cow<'static, str>,
    },
    /// The connection was not made in time.
    #[error("connection timeout")]
    ConnectTimeout,
    /// The upstream closed the connection before it answered.
    #[error("connection termination")]
    Termination,
    /// The upstream reset the stream.
    #[error("remote reset")]
    RemoteReset,
    /// The upstream refused the stream without looking at it.
    #[error("remote refused stream reset")]
    RefusedStream,
    /// The upstream's answer is not HTTP.
    #[error("protocol error")]
    Protocol,
    /// The whole request took longer than the route allows.
    #[error("upstream request timeout")]
    Timeout,
    /// One attempt took longer than the route allows.
    #[error("upstream request timeout")]
    PerTryTimeout,
    /// One attempt was silent for longer than the route allows.
    #[error("upstream request timeout")]
    PerTryIdle,
    /// Nothing came from either side for as long as the route or the listener allows.
    #[error("stream timeout")]
    StreamIdle {
        /// The client had sent its whole request.
        request_complete: bool,
    },
    /// The request lived as long as the route or the listener allows.
    #[error("downstream duration timeout")]
    StreamLife {
        /// The client had sent its whole request.
        request_complete: bool,
    },
    /// Sending the request upstream failed on the client's side: it stopped sending the body.
    #[error("downstream remote disconnect")]
    Downstream,
    /// The same, by a reset of nothing but the stream.
    #[error("downstream remote reset")]
    DownstreamReset,
    /// What the client sends as the body is none.
    #[error("downstream protocol error")]
    DownstreamProtocol,
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        match error {
            HostError::NotResolved => Self::NotResolved,
            HostError::TooMany => Self::TooManyHosts,
        }
    }
}

impl Failure {
    /// The flag that the access log shows.
    pub(crate) fn flag(&self) -> ResponseFlags {
        match self {
            Self::NoHealthyUpstream => ResponseFlags::NO_HEALTHY_UPSTREAM,
            Self::NotResolved => ResponseFlags::DNS_FAILURE,
            Self::TooManyHosts => ResponseFlags::UPSTREAM_OVERFLOW,
            Self::Overflow => ResponseFlags::UPSTREAM_OVERFLOW,
            Self::Connect { .. } | Self::ConnectTimeout => {
                ResponseFlags::UPSTREAM_CONNECTION_FAILURE
            }
            Self::Termination => ResponseFlags::UPSTREAM_TERMINATION,
            Self::RemoteReset | Self::RefusedStream => ResponseFlags::UPSTREAM_RESET,
            Self::Protocol => ResponseFlags::UPSTREAM_PROTOCOL_ERROR,
            Self::Timeout | Self::PerTryTimeout | Self::PerTryIdle => {
                ResponseFlags::UPSTREAM_TIMEOUT
            }
            Self::StreamIdle { .. } => ResponseFlags::STREAM_IDLE_TIMEOUT,
            // Envoy has no flag for it; the details say it.
            Self::StreamLife { .. } => ResponseFlags::NONE,
            Self::Downstream => ResponseFlags::DOWNSTREAM_TERMINATION,
            Self::DownstreamReset => ResponseFlags::DOWNSTREAM_RESET,
            Self::DownstreamProtocol => ResponseFlags::DOWNSTREAM_PROTOCOL_ERROR,
        }
    }

    /// Why the transport failed: `%UPSTREAM_TRANSPORT_FAILURE_REASON%`.
    pub(crate) fn transport_reason(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Connect { reason } => Some(reason.clone()),
            _ => None,
        }
    }

    /// What the client is told. `retried`: this was not the first attempt.
    pub(crate) fn reply(&self, retried: bool) -> LocalReply {
        let status = match self {
            Self::Timeout | Self::PerTryTimeout | Self::PerTryIdle => StatusCode::GATEWAY_TIMEOUT,
            // Whoever has not yet sent everything is late itself.
            Self::StreamIdle { request_complete } | Self::StreamLife { request_complete } => {
                match request_complete {
                    true => StatusCode::GATEWAY_TIMEOUT,
                    false => StatusCode::REQUEST_TIMEOUT,
                }
            }
            Self::Protocol => StatusCode::BAD_GATEWAY,
            Self::DownstreamProtocol => StatusCode::BAD_REQUEST,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut reply = LocalReply::new(status, self.body(retried), "");
        reply.details = self.details();
        reply.flags = self.flag();
        // Where the next request would begin, nobody knows.
        reply.close = *self == Self::DownstreamProtocol;
        if *self == Self::Overflow {
            let overloaded = HeaderName::from_static("x-envoy-overloaded");
            reply.headers.insert(overloaded, HeaderValue::from_static("true"));
        }
        reply
    }

    fn body(&self, retried: bool) -> Bytes {
        match self {
            Self::NoHealthyUpstream => "no healthy upstream".into(),
            Self::Timeout | Self::PerTryTimeout | Self::PerTryIdle => {
                "upstream request timeout".into()
            }
            Self::StreamIdle { .. }
            | Self::StreamLife { .. }
            | Self::NotResolved
            | Self::TooManyHosts => self.to_string().into(),
            Self::DownstreamProtocol => "Bad Request".into(),
            _ => {
                let again = if retried { "retried and the latest " } else { "" };
                // Why the transport failed is nothing for clients: it stands in the access log.
                format!(
                    "upstream connect error or disconnect/reset before headers. \
                     {again}reset reason: {self}"
                )
                .into()
            }
        }
    }

    /// `%RESPONSE_CODE_DETAILS%`: without blanks, so that it stays one field of a line.
    pub(crate) fn details(&self) -> Cow<'static, str> {
        match self {
            Self::NoHealthyUpstream => "no_healthy_upstream".into(),
            Self::NotResolved => "dns_resolution_failure".into(),
            Self::TooManyHosts => "dns_cache_overflow".into(),
            Self::Timeout => "response_timeout".into(),
            Self::PerTryTimeout => "upstream_per_try_timeout".into(),
            Self::PerTryIdle => "upstream_per_try_idle_timeout".into(),
            Self::StreamIdle { .. } => details::STREAM_IDLE_TIMEOUT.into(),
            Self::StreamLife { .. } => details::MAX_DURATION.into(),
            Self::Downstream => "downstream_remote_disconnect".into(),
            Self::DownstreamReset => details::REMOTE_RESET.into(),
            Self::DownstreamProtocol => "http1.codec_error".into(),
            _ => {
                let transport = match self.transport_reason() {
                    Some(reason) => format!("|{reason}"),
                    None => String::new(),
                };
                format!("upstream_reset_before_response_started{{{self}{transport}}}")
                    .replace(' ', "_")
                    .into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Failure;

    #[test]
    fn a_refused_connection_reads_as_in_envoy() {
        let failure =
            Failure::Connect { reason: "delayed connect error: Connection refused".into() };
        let reply = failure.reply(true);
        assert_eq!(reply.status, 503);
        assert_eq!(reply.flags.to_string(), "UF");
        assert_eq!(
            reply.body,
            "upstream connect error or disconnect/reset before headers. retried and the latest reset reason: \
             remote connection failure"
        );
        assert_eq!(
            reply.details,
            "upstream_reset_before_response_started{remote_connection_failure|\
             delayed_connect_error:_Connection_refused}"
        );
    }

    #[test]
    fn an_overflow_is_marked() {
        let reply = Failure::Overflow.reply(false);
        assert_eq!(reply.headers.get("x-envoy-overloaded").unwrap(), "true");
        assert_eq!(reply.details, "upstream_reset_before_response_started{overflow}");
    }

    #[test]
    fn timeouts_are_504() {
        assert_eq!(Failure::Timeout.reply(false).status, 504);
        assert_eq!(Failure::PerTryTimeout.reply(false).body, "upstream request timeout");
    }
}
