//! Settings of HTTP/2 connections, towards clients and upstreams alike.

use std::time::Duration;

use pilotage_proto::envoy::config::core::v3::Http2ProtocolOptions as Proto;

use crate::durations::optional;
use crate::rejection::{FieldError, Warnings};

/// Time to wait for the answer to a ping when none is configured: a field that the API demands.
const DEFAULT_PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Settings of HTTP/2 connections. `None`: the codec's own default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Http2Options {
    /// Streams at once: those that a client may open, or those that are opened towards an upstream, which may allow
    /// fewer.
    pub max_concurrent_streams: Option<u32>,
    /// What the peer may send on a stream before it was read.
    pub stream_window_bytes: Option<u32>,
    /// What the peer may send on the connection before it was read.
    pub connection_window_bytes: Option<u32>,
    /// Clients may open WebSockets with CONNECT (RFC 8441).
    pub allow_connect: bool,
    /// Pings.
    pub keepalive: Option<Http2Keepalive>,
}

/// Pings that find out whether the peer is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http2Keepalive {
    /// Time between the answer to a ping and the next one.
    pub interval: Duration,
    /// The connection is given up when a ping is not answered for so long.
    pub timeout: Duration,
}

impl Http2Options {
    pub(crate) fn compile(proto: &Proto, warnings: &mut Warnings) -> Result<Self, FieldError> {
        let keepalive = match &proto.connection_keepalive {
            Some(pings) => {
                let field = |name| format!("connection_keepalive.{name}");
                if pings.connection_idle_interval.is_some() {
                    let message = "connections are not probed before they are used again";
                    warnings.note(&field("connection_idle_interval"), message);
                }
                if pings.interval_jitter.is_some() {
                    warnings.note(&field("interval_jitter"), "pings are sent without jitter");
                }
                let interval = optional(&field("interval"), pings.interval.as_ref())?;
                let timeout = optional(&field("timeout"), pings.timeout.as_ref())?;
                interval.filter(|interval| !interval.is_zero()).map(|interval| Http2Keepalive {
                    interval,
                    timeout: timeout.unwrap_or(DEFAULT_PING_TIMEOUT),
                })
            }
            None => None,
        };
        Ok(Self {
            max_concurrent_streams: proto.max_concurrent_streams,
            stream_window_bytes: window(
                "initial_stream_window_size",
                proto.initial_stream_window_size,
            )?,
            connection_window_bytes: window(
                "initial_connection_window_size",
                proto.initial_connection_window_size,
            )?,
            allow_connect: proto.allow_connect,
            keepalive,
        })
    }
}

/// The size of a window, which the protocol and Envoy limit.
fn window(field: &str, bytes: Option<u32>) -> Result<Option<u32>, FieldError> {
    match bytes {
        Some(bytes) if !(65_535..=2_147_483_647).contains(&bytes) => {
            Err(FieldError::new(field, "must be from 65535 to 2147483647"))
        }
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pilotage_proto::json::from_value;
    use serde_json::json;

    use super::{Http2Keepalive, Http2Options};
    use crate::rejection::Warnings;

    #[test]
    fn what_is_configured_is_kept() {
        let options = json!({
            "maxConcurrentStreams": 7, "initialStreamWindowSize": 70_000, "allowConnect": true,
            "connectionKeepalive": {"interval": "30s", "timeout": "5s"},
        });
        let compile = |options| {
            Http2Options::compile(&from_value(&options).unwrap(), &mut Warnings::default())
        };
        let compiled = compile(options);
        let expected = Http2Options {
            max_concurrent_streams: Some(7),
            stream_window_bytes: Some(70_000),
            connection_window_bytes: None,
            allow_connect: true,
            keepalive: Some(Http2Keepalive {
                interval: Duration::from_secs(30),
                timeout: Duration::from_secs(5),
            }),
        };
        assert_eq!(compiled.unwrap(), expected);
        assert!(compile(json!({"initialConnectionWindowSize": 1})).is_err());
    }
}
