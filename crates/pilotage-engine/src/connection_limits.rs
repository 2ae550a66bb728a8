//! Limits of connections that carry HTTP, which clusters and connection managers state in the same message.

use std::time::Duration;

use pilotage_proto::envoy::config::core::v3::HttpProtocolOptions as Proto;

use crate::durations::limit;
use crate::rejection::FieldError;

const DEFAULT_HEADERS_COUNT: u32 = 100;
const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(3600);

/// The limits; `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionLimits {
    /// How long a connection may be without a request.
    pub(crate) idle_timeout: Option<Duration>,
    /// How long it may last.
    pub(crate) max_duration: Option<Duration>,
    /// How many headers a message may have.
    pub(crate) max_headers_count: u32,
}

impl ConnectionLimits {
    /// Compiles them from `common_http_protocol_options`.
    pub(crate) fn compile(proto: &Proto) -> Result<Self, FieldError> {
        let idle = ("idle_timeout", proto.idle_timeout.as_ref(), Some(DEFAULT_IDLE_TIMEOUT));
        let whole = ("max_connection_duration", proto.max_connection_duration.as_ref(), None);
        let compile = |(field, proto, default)| {
            limit(field, proto, default).map_err(|e| e.within("common_http_protocol_options"))
        };
        Ok(Self {
            idle_timeout: compile(idle)?,
            max_duration: compile(whole)?,
            max_headers_count: proto.max_headers_count.unwrap_or(DEFAULT_HEADERS_COUNT),
        })
    }
}
