//! Response flags: Envoy's short names for what kept a request from an ordinary answer.

use std::fmt;

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $number:expr, $short:expr;)*) => {
        impl ResponseFlags {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            const NAMES: &'static [(Self, &'static str)] = &[$((Self::$name, $short)),*];
        }
    };
}

/// Response flags in the order in which they were set, each once, as in the access log's `%RESPONSE_FLAGS%`.
///
/// Their numbers stand side by side, the first in the lowest bits. There is room for twelve, far more than can happen to
/// one request; a further one is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ResponseFlags(u64);

/// Of one number.
const BITS: u32 = 5;
const MASK: u64 = (1 << BITS) - 1;
const MOST: u32 = u64::BITS / BITS;

flags! {
    /// The upstream cluster has no healthy endpoint.
    NO_HEALTHY_UPSTREAM = 1, "UH";
    /// The upstream did not answer in time.
    UPSTREAM_TIMEOUT = 2, "UT";
    /// The stream was reset by this proxy.
    LOCAL_RESET = 3, "LR";
    /// The upstream reset the stream.
    UPSTREAM_RESET = 4, "UR";
    /// The upstream connection could not be made.
    UPSTREAM_CONNECTION_FAILURE = 5, "UF";
    /// The upstream closed the connection.
    UPSTREAM_TERMINATION = 6, "UC";
    /// A circuit breaker refused the request.
    UPSTREAM_OVERFLOW = 7, "UO";
    /// No route matched.
    NO_ROUTE = 8, "NR";
    /// A delay was injected.
    DELAY_INJECTED = 9, "DI";
    /// An abort was injected.
    FAULT_INJECTED = 10, "FI";
    /// The request was refused by a rate limit.
    RATE_LIMITED = 11, "RL";
    /// The downstream connection went away.
    DOWNSTREAM_TERMINATION = 12, "DC";
    /// The retry limit was reached, or no more connect attempts were left.
    RETRY_LIMIT_EXCEEDED = 13, "URX";
    /// The stream was idle for too long.
    STREAM_IDLE_TIMEOUT = 14, "SI";
    /// The downstream broke the protocol.
    DOWNSTREAM_PROTOCOL_ERROR = 15, "DPE";
    /// The stream lived longer than it may.
    MAX_DURATION_REACHED = 16, "UMSDR";
    /// The downstream connection lived longer than it may.
    DURATION_TIMEOUT = 17, "DT";
    /// The upstream broke the protocol.
    UPSTREAM_PROTOCOL_ERROR = 18, "UPE";
    /// The route's cluster does not exist.
    NO_CLUSTER = 19, "NC";
    /// The proxy is overloaded.
    OVERLOADED = 20, "OM";
    /// A DNS name could not be resolved.
    DNS_FAILURE = 21, "DF";
    /// The client reset the stream, or was made to by what it sent.
    DOWNSTREAM_RESET = 22, "DR";
}

impl ResponseFlags {
    /// No flag.
    pub const NONE: Self = Self(0);

    /// Whether no flag is set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` is set.
    pub fn contains(self, other: Self) -> bool {
        other.numbers().all(|number| self.numbers().any(|own| own == number))
    }

    /// Sets `other` too, after what is set.
    pub fn insert(&mut self, other: Self) {
        for number in other.numbers() {
            let count = u64::BITS.saturating_sub(self.0.leading_zeros()).div_ceil(BITS);
            if count < MOST && !self.contains(Self(number)) {
                self.0 |= number << (count * BITS);
            }
        }
    }

    fn numbers(self) -> impl Iterator<Item = u64> {
        let rest = std::iter::successors(Some(self.0), |rest| Some(rest >> BITS));
        rest.take_while(|rest| *rest != 0).map(|rest| rest & MASK)
    }
}

impl std::ops::BitOr for ResponseFlags {
    type Output = Self;

    fn bitor(mut self, other: Self) -> Self {
        self.insert(other);
        self
    }
}

/// The short names joined by commas; nothing for the empty set (the access log prints `-` there).
impl fmt::Display for ResponseFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.numbers().filter_map(|number| {
            Self::NAMES.iter().find_map(|(flag, name)| (flag.0 == number).then_some(name))
        });
        for (index, name) in names.enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

/// Values of `%RESPONSE_CODE_DETAILS%`: who answered, and why.
pub mod details {
    /// The client gave up its stream, and that only.
    pub const REMOTE_RESET: &str = "http2.remote_reset";
    /// The upstream answered.
    pub const VIA_UPSTREAM: &str = "via_upstream";
    /// No route matched.
    pub const ROUTE_NOT_FOUND: &str = "route_not_found";
    /// The route's cluster does not exist.
    pub const CLUSTER_NOT_FOUND: &str = "cluster_not_found";
    /// The route answers itself: a redirect or a direct response.
    pub const DIRECT_RESPONSE: &str = "direct_response";
    /// The cluster has no healthy endpoint.
    pub const NO_HEALTHY_UPSTREAM: &str = "no_healthy_upstream";
    /// A fault was injected.
    pub const FAULT_ABORT: &str = "fault_filter_abort";
    /// The CORS filter answered a preflight request.
    pub const CORS_RESPONSE: &str = "cors_response";
    /// The path could not be normalized.
    pub const PATH_NORMALIZATION_FAILED: &str = "path_normalization_failed";
    /// The client is sent to the path with its slashes unescaped.
    pub const PATH_NORMALIZATION_REDIRECT: &str = "path_normalization_redirect";
    /// The path does not begin with a slash.
    pub const ABSOLUTE_PATH: &str = "absolute_path_rejected";
    /// The request has no `:path`.
    pub const MISSING_PATH: &str = "missing_path_rejected";
    /// The request names no host.
    pub const MISSING_HOST: &str = "missing_host_header";
    /// HTTP/1.0 is not accepted.
    pub const LOW_VERSION: &str = "low_version";
    /// A header name holds an underscore.
    pub const UNDERSCORE_HEADER: &str = "http.unexpected_underscore";
    /// The requested upgrade is not allowed.
    pub const UPGRADE_FAILED: &str = "upgrade_failed";
    /// A circuit breaker refused the request.
    pub const OVERFLOW: &str = "overflow";
    /// The whole request took too long.
    pub const RESPONSE_TIMEOUT: &str = "response_timeout";
    /// One attempt took too long.
    pub const PER_TRY_TIMEOUT: &str = "upstream_per_try_timeout";
    /// The stream was idle for too long.
    pub const STREAM_IDLE_TIMEOUT: &str = "stream_idle_timeout";
    /// The request lived longer than it may.
    pub const MAX_DURATION: &str = "max_duration_timeout";
    /// No filter chain of the listener fits the connection.
    pub const FILTER_CHAIN_NOT_FOUND: &str = "filter_chain_not_found";
}

#[cfg(test)]
mod tests {
    use super::ResponseFlags;

    #[test]
    fn flags_print_in_the_order_in_which_they_were_set() {
        let mut flags = ResponseFlags::DELAY_INJECTED | ResponseFlags::FAULT_INJECTED;
        assert_eq!(flags.to_string(), "DI,FI");
        flags.insert(ResponseFlags::NO_HEALTHY_UPSTREAM | ResponseFlags::DELAY_INJECTED);
        assert_eq!(flags.to_string(), "DI,FI,UH");
        assert_eq!(ResponseFlags::NONE.to_string(), "");
        assert!(!flags.contains(ResponseFlags::NO_CLUSTER));
        assert!(flags.contains(ResponseFlags::FAULT_INJECTED | ResponseFlags::DELAY_INJECTED));
    }

    #[test]
    fn all_flags_are_told_while_there_is_room() {
        let names = ResponseFlags::NAMES;
        assert!(names.iter().all(|(flag, _)| flag.0 != 0 && flag.0 <= super::MASK));
        let mut flags = ResponseFlags::NONE;
        names.iter().rev().for_each(|(flag, _)| flags.insert(*flag));
        let told: Vec<_> = names.iter().rev().take(12).map(|(_, name)| *name).collect();
        assert_eq!(flags.to_string(), told.join(","));
    }
}
