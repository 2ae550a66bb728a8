//! Which time limits apply to a request.

use std::time::Duration;

use http::HeaderValue;
use pilotage_proto::envoy::config::route::v3::route_action::MaxStreamDuration as Proto;

use crate::durations::optional;
use crate::headers::Headers;
use crate::http_manager::HttpManager;
use crate::rejection::FieldError;
use crate::request::RequestHead;
use crate::route::ForwardAction;

/// Limit of the whole request where a route says nothing.
pub(crate) const DEFAULT_ROUTE_TIMEOUT: Duration = Duration::from_secs(15);

/// Limits on the life of a stream, as a route sets them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaxStreamDuration {
    /// Life of the stream; zero: no limit.
    pub max: Option<Duration>,
    /// Upper limit of `grpc-timeout`; zero: unlimited.
    pub grpc_timeout_max: Option<Duration>,
    /// Subtracted from `grpc-timeout`.
    pub grpc_timeout_offset: Duration,
}

impl MaxStreamDuration {
    pub(crate) fn compile(proto: &Proto) -> Result<Self, FieldError> {
        Ok(Self {
            max: optional("max_stream_duration", proto.max_stream_duration.as_ref())?,
            grpc_timeout_max: optional(
                "grpc_timeout_header_max",
                proto.grpc_timeout_header_max.as_ref(),
            )?,
            grpc_timeout_offset: optional(
                "grpc_timeout_header_offset",
                proto.grpc_timeout_header_offset.as_ref(),
            )?
            .unwrap_or_default(),
        })
    }
}

/// Time limits of one request. `None` means no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// From the end of the request to the end of the answer, all attempts together: 504 `UT`, `response_timeout`.
    pub global: Option<Duration>,
    /// Each attempt until its answer begins: 504 `UT`, `upstream_per_try_timeout`; may be retried.
    pub per_try: Option<Duration>,
    /// Each attempt without activity.
    pub per_try_idle: Option<Duration>,
    /// The stream without activity: 408 `SI` before the answer began.
    pub idle: Option<Duration>,
    /// Life of the stream.
    pub max_stream_duration: Option<Duration>,
}

impl Timeouts {
    /// The limits for one request: what the route says, changed by what the client asks for, if it `steers`.
    pub(crate) fn of(
        manager: &HttpManager,
        action: &ForwardAction,
        head: &RequestHead<'_>,
        steers: bool,
    ) -> Self {
        let grpc = head.is_grpc();
        let mut global = match (action.max_stream_duration, action.max_grpc_timeout) {
            (Some(_), _) => None,
            (None, Some(max)) if grpc => {
                capped(grpc_timeout(head.headers), action.grpc_timeout_offset, max)
            }
            (None, _) => action.timeout,
        };
        let millis = |name| steers.then(|| millis(head.headers, name)).flatten();
        let expected =
            (manager.respect_expected_timeout).then(|| millis(EXPECTED_TIMEOUT)).flatten();
        if let Some(asked) = expected.or_else(|| millis(CLIENT_TIMEOUT)) {
            global = (!asked.is_zero()).then_some(asked);
        }
        let policy = action.retries.as_ref();
        let asked = millis(CLIENT_PER_TRY_TIMEOUT);
        let per_try = match asked {
            Some(asked) => (!asked.is_zero()).then_some(asked),
            None => policy.and_then(|policy| policy.per_try_timeout),
        };
        Self {
            global,
            // A limit of one attempt that is no shorter than that of all of them says nothing.
            per_try: per_try.filter(|limit| global.is_none_or(|global| *limit < global)),
            per_try_idle: policy.and_then(|policy| policy.per_try_idle_timeout),
            idle: match action.idle_timeout {
                Some(idle) => (!idle.is_zero()).then_some(idle),
                None => manager.stream_idle_timeout,
            },
            max_stream_duration: stream_limit(manager, action, head, grpc),
        }
    }

    /// What the upstream is told to expect: the limit of this attempt, after earlier ones took `elapsed`.
    pub(crate) fn expected(&self, elapsed: Duration) -> Option<Duration> {
        let expected = self.per_try.or(self.global)?;
        // Nothing left would read as no limit at all.
        let left = |global: Duration| global.saturating_sub(elapsed).max(Duration::from_millis(1));
        Some(self.global.map_or(expected, |global| expected.min(left(global))))
    }
}

/// Limit on the life of the stream.
fn stream_limit(
    manager: &HttpManager,
    action: &ForwardAction,
    head: &RequestHead<'_>,
    grpc: bool,
) -> Option<Duration> {
    let Some(limits) = action.max_stream_duration else { return manager.max_stream_duration };
    if let Some(max) = limits.grpc_timeout_max.filter(|_| grpc)
        && let Some(asked) = grpc_timeout(head.headers)
    {
        return capped(Some(asked), limits.grpc_timeout_offset, max);
    }
    match limits.max {
        Some(max) => (!max.is_zero()).then_some(max),
        None => manager.max_stream_duration,
    }
}

/// `asked` less `offset`, at most `max`; zero is no limit for both.
fn capped(asked: Option<Duration>, offset: Duration, max: Duration) -> Option<Duration> {
    let asked = asked.filter(|asked| !asked.is_zero()).map(|asked| {
        // An offset that would use everything up is not applied.
        if offset < asked { asked.saturating_sub(offset) } else { asked }
    });
    match asked {
        Some(asked) if max.is_zero() || asked <= max => Some(asked),
        _ => (!max.is_zero()).then_some(max),
    }
}

pub(crate) const EXPECTED_TIMEOUT: &str = "x-envoy-expected-rq-timeout-ms";
pub(crate) const CLIENT_TIMEOUT: &str = "x-envoy-upstream-rq-timeout-ms";
pub(crate) const CLIENT_PER_TRY_TIMEOUT: &str = "x-envoy-upstream-rq-per-try-timeout-ms";

/// A header that holds milliseconds.
fn millis(headers: &Headers, name: &str) -> Option<Duration> {
    let value = headers.get(name)?.to_str().ok()?;
    value.parse().ok().map(Duration::from_millis)
}

/// The time that a gRPC client grants: up to eight digits and a unit.
fn grpc_timeout(headers: &Headers) -> Option<Duration> {
    let value = headers.get("grpc-timeout")?.to_str().ok()?;
    let unit = value.chars().next_back()?;
    let digits = value.strip_suffix(unit)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        'H' => Some(Duration::from_secs(number.checked_mul(3600)?)),
        'M' => Some(Duration::from_secs(number.checked_mul(60)?)),
        'S' => Some(Duration::from_secs(number)),
        'm' => Some(Duration::from_millis(number)),
        // Limits are kept in milliseconds; what is shorter counts as one.
        'u' => Some(Duration::from_millis(number.div_ceil(1000))),
        'n' => Some(Duration::from_millis(number.div_ceil(1_000_000))),
        _ => None,
    }
}

/// `limit` as gRPC writes it, in the finest unit that fits eight digits.
pub(crate) fn to_grpc_timeout(limit: Duration) -> HeaderValue {
    const LARGEST: u128 = 99_999_999;
    let millis = limit.as_millis();
    let (number, unit) = [(1, 'm'), (1000, 'S'), (60_000, 'M'), (3_600_000, 'H')]
        .into_iter()
        .map(|(size, unit)| (millis / size, unit))
        .find(|(number, _)| *number <= LARGEST)
        .unwrap_or((LARGEST, 'H'));
    HeaderValue::from_str(&format!("{number}{unit}")).unwrap_or(HeaderValue::from_static("1m"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;

    use super::{capped, grpc_timeout, to_grpc_timeout};
    use crate::headers::Headers;

    #[test]
    fn grpc_timeouts_are_read_and_written() {
        for (text, expected) in [
            ("5S", Some(5000)),
            ("100m", Some(100)),
            ("1500u", Some(2)),
            ("2H", Some(7_200_000)),
            ("123456789S", None),
            ("5", None),
            ("S", None),
            ("-5S", None),
        ] {
            let mut headers = Headers::new();
            headers.insert("grpc-timeout", HeaderValue::from_static(text));
            assert_eq!(grpc_timeout(&headers), expected.map(Duration::from_millis), "{text}");
        }
        assert_eq!(to_grpc_timeout(Duration::from_secs(5)), "5000m");
        assert_eq!(to_grpc_timeout(Duration::from_secs(200_000)), "200000S");
    }

    #[test]
    fn a_route_caps_what_a_client_asks_for() {
        let second = Duration::from_secs(1);
        let of = |asked: Option<u64>, max| {
            capped(asked.map(Duration::from_secs), Duration::ZERO, second * max)
        };
        assert_eq!(of(Some(5), 0), Some(second * 5));
        assert_eq!(of(Some(5), 2), Some(second * 2));
        assert_eq!(of(None, 2), Some(second * 2));
        assert_eq!(of(None, 0), None);
        assert_eq!(capped(Some(second), second, Duration::ZERO), Some(second));
    }
}
