//! Retry conditions: which failures are worth another attempt.

use http::{HeaderName, StatusCode};

use super::ResetReason;
use crate::headers::Headers;

const RATE_LIMITED: HeaderName = HeaderName::from_static("x-envoy-ratelimited");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// A set of retry conditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryConditions(u32);

macro_rules! conditions {
    ($($name:ident = $bit:expr, $text:expr;)*) => {
        impl RetryConditions {
            $(const $name: Self = Self(1 << $bit);)*

            const NAMES: &'static [(&'static str, Self)] = &[$(($text, Self::$name)),*];
        }
    };
}

conditions! {
    SERVER_ERROR = 0, "5xx";
    GATEWAY_ERROR = 1, "gateway-error";
    RESET = 2, "reset";
    RESET_BEFORE_REQUEST = 3, "reset-before-request";
    CONNECT_FAILURE = 4, "connect-failure";
    RETRIABLE_4XX = 5, "retriable-4xx";
    REFUSED_STREAM = 6, "refused-stream";
    STATUS_CODES = 7, "retriable-status-codes";
    HEADERS = 8, "retriable-headers";
    RATE_LIMITED = 9, "envoy-ratelimited";
    HTTP3 = 10, "http3-post-connect-failure";
    GRPC_CANCELLED = 11, "cancelled";
    GRPC_DEADLINE = 12, "deadline-exceeded";
    GRPC_INTERNAL = 13, "internal";
    GRPC_EXHAUSTED = 14, "resource-exhausted";
    GRPC_UNAVAILABLE = 15, "unavailable";
}

impl RetryConditions {
    /// The conditions of a comma-separated list, and the words that are none. Spaces around words do not matter.
    pub fn parse(text: &str) -> (Self, Vec<&str>) {
        let mut set = Self::default();
        let mut unknown = Vec::new();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match Self::NAMES.iter().find(|(name, _)| *name == word) {
                Some((_, condition)) => set.0 |= condition.0,
                None => unknown.push(word),
            }
        }
        (set, unknown)
    }

    /// Envoy's names of the conditions, in a fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let all = Self::NAMES.iter();
        all.filter(move |(_, condition)| self.any(&[*condition])).map(|(name, _)| *name)
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Both sets together.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn any(self, of: &[Self]) -> bool {
        of.iter().any(|condition| self.0 & condition.0 != 0)
    }

    /// Whether an answer is retried. `listed`: its status is among the retriable codes. `by_header`: a retriable
    /// header matched.
    pub(super) fn take_response(
        self,
        status: StatusCode,
        headers: &Headers,
        listed: bool,
        by_header: bool,
    ) -> bool {
        if headers.contains_key(&RATE_LIMITED) {
            return self.any(&[Self::RATE_LIMITED]);
        }
        let code = status.as_u16();
        (status.is_server_error() && self.any(&[Self::SERVER_ERROR]))
            || ((502..=504).contains(&code) && self.any(&[Self::GATEWAY_ERROR]))
            || (code == 409 && self.any(&[Self::RETRIABLE_4XX]))
            || (listed && self.any(&[Self::STATUS_CODES]))
            || (by_header && self.any(&[Self::HEADERS]))
            || self.takes_grpc(headers)
    }

    fn takes_grpc(self, headers: &Headers) -> bool {
        let status = headers.get(&GRPC_STATUS).and_then(|value| value.to_str().ok());
        match status.and_then(|status| status.parse::<u32>().ok()) {
            Some(1) => self.any(&[Self::GRPC_CANCELLED]),
            Some(4) => self.any(&[Self::GRPC_DEADLINE]),
            Some(8) => self.any(&[Self::GRPC_EXHAUSTED]),
            Some(13) => self.any(&[Self::GRPC_INTERNAL]),
            Some(14) => self.any(&[Self::GRPC_UNAVAILABLE]),
            Some(_) | None => false,
        }
    }

    /// Whether a failed stream is retried.
    pub(super) fn take_reset(self, reason: ResetReason, request_sent: bool) -> bool {
        if reason == ResetReason::Overflow {
            return false;
        }
        let connect = matches!(reason, ResetReason::ConnectFailure | ResetReason::ConnectTimeout);
        // A reset ends as a 503, and so counts as a server error and a gateway error.
        self.any(&[Self::RESET, Self::SERVER_ERROR, Self::GATEWAY_ERROR])
            || (!request_sent && self.any(&[Self::RESET_BEFORE_REQUEST]))
            || (reason == ResetReason::RefusedStream && self.any(&[Self::REFUSED_STREAM]))
            || (connect && self.any(&[Self::CONNECT_FAILURE]))
    }

    /// Whether an attempt that took too long is retried: it counts as a reset of a stream that was under way.
    pub(super) fn take_timeout(self) -> bool {
        self.any(&[Self::RESET, Self::SERVER_ERROR, Self::GATEWAY_ERROR])
    }
}
