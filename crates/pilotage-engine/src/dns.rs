//! DNS clusters: which names they want, which addresses of them, and how often the names are asked for again.

use std::sync::Arc;
use std::time::Duration;

use pilotage_proto::envoy::config::cluster::v3::Cluster as Proto;
use pilotage_proto::envoy::config::cluster::v3::cluster::DnsLookupFamily;
use pilotage_proto::envoy::extensions::common::dynamic_forward_proxy::v3::DnsCacheConfig;

use crate::durations::optional;
use crate::rejection::FieldError;

/// `dns_refresh_rate` where the cluster has none.
const DEFAULT_REFRESH: Duration = Duration::from_secs(5);
/// Longest wait after failures, as a multiple of the shortest, where the cluster says nothing of it.
const DEFAULT_FAILURE_GROWTH: u32 = 10;
/// How long an answer without a time to live is good for, where each request names its host and nothing is said.
const DEFAULT_HOST_REFRESH: Duration = Duration::from_secs(60);
/// A name is not asked for more often than this.
const SHORTEST: Duration = Duration::from_millis(1);

/// A name that a DNS cluster wants resolved.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DnsTarget {
    /// Name to resolve.
    pub host: Arc<str>,
    /// Port of the endpoints it makes.
    pub port: u16,
}

/// How the names of a cluster are resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DnsSettings {
    /// Time between two resolutions of a name (`dns_refresh_rate`).
    pub refresh: Duration,
    /// The answer's own time to live applies instead (`respect_dns_ttl`).
    pub respect_ttl: bool,
    /// Up to this much is added to every wait after an answer, so that many clusters do not ask at once (`dns_jitter`).
    pub jitter: Duration,
    /// How long to wait after a failure (`dns_failure_refresh_rate`).
    pub after_failure: FailureRefresh,
    /// Which addresses are wanted.
    pub family: DnsFamily,
}

/// How long to wait after a name could not be resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureRefresh {
    /// As long as after an answer.
    Fixed,
    /// Twice as long after each failure, from `base` up to `max`; a random part of it.
    Growing {
        /// Longest wait after the first failure.
        base: Duration,
        /// Longest wait after any.
        max: Duration,
    },
}

/// Which kinds of addresses are wanted of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsFamily {
    /// IPv6, or IPv4 if there is none.
    V6Preferred,
    /// IPv4 only.
    V4Only,
    /// IPv6 only.
    V6Only,
    /// IPv4, or IPv6 if there is none.
    V4Preferred,
    /// Both.
    All,
}

impl From<DnsLookupFamily> for DnsFamily {
    fn from(proto: DnsLookupFamily) -> Self {
        match proto {
            DnsLookupFamily::Auto => Self::V6Preferred,
            DnsLookupFamily::V4Only => Self::V4Only,
            DnsLookupFamily::V6Only => Self::V6Only,
            DnsLookupFamily::V4Preferred => Self::V4Preferred,
            DnsLookupFamily::All => Self::All,
        }
    }
}

impl DnsSettings {
    pub(crate) fn compile(proto: &Proto) -> Result<Self, FieldError> {
        let failure = match &proto.dns_failure_refresh_rate {
            None => FailureRefresh::Fixed,
            Some(rate) => {
                let base = optional("base_interval", rate.base_interval.as_ref())
                    .map_err(|e| e.within("dns_failure_refresh_rate"))?
                    .unwrap_or(DEFAULT_REFRESH);
                let max = optional("max_interval", rate.max_interval.as_ref())
                    .map_err(|e| e.within("dns_failure_refresh_rate"))?
                    .unwrap_or(base.saturating_mul(DEFAULT_FAILURE_GROWTH));
                FailureRefresh::Growing { base, max }
            }
        };
        Ok(Self {
            refresh: optional("dns_refresh_rate", proto.dns_refresh_rate.as_ref())?
                .filter(|rate| !rate.is_zero())
                .unwrap_or(DEFAULT_REFRESH),
            respect_ttl: proto.respect_dns_ttl,
            jitter: optional("dns_jitter", proto.dns_jitter.as_ref())?.unwrap_or_default(),
            after_failure: failure,
            family: proto.dns_lookup_family().into(),
        })
    }

    /// How the hosts that requests name are resolved.
    pub(crate) fn of_cache(proto: &DnsCacheConfig) -> Result<Self, FieldError> {
        Ok(Self {
            refresh: optional("dns_refresh_rate", proto.dns_refresh_rate.as_ref())?
                .filter(|rate| !rate.is_zero())
                .unwrap_or(DEFAULT_HOST_REFRESH),
            respect_ttl: true,
            jitter: Duration::ZERO,
            after_failure: FailureRefresh::Fixed,
            family: proto.dns_lookup_family().into(),
        })
    }

    /// How long an answer is good for that may be kept for `time_to_live`; `None` when there is no record that says
    /// so. `draw` is random.
    pub fn wait_after_answer(&self, time_to_live: Option<Duration>, draw: u64) -> Duration {
        let own = time_to_live.filter(|ttl| self.respect_ttl && !ttl.is_zero());
        let wait = own.unwrap_or(self.refresh) + part_of(self.jitter, draw);
        wait.max(SHORTEST)
    }

    /// How long to wait after the `failures`th failure in a row, counted from 1. `draw` is random.
    pub fn wait_after_failure(&self, failures: u32, draw: u64) -> Duration {
        let wait = match self.after_failure {
            FailureRefresh::Fixed => self.refresh,
            FailureRefresh::Growing { base, max } => {
                let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
                part_of(base.saturating_mul(doubled).min(max), draw)
            }
        };
        wait.max(SHORTEST)
    }
}

/// A part of `whole`, drawn in steps of a millisecond.
fn part_of(whole: Duration, draw: u64) -> Duration {
    let millis = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX);
    draw.checked_rem(millis).map_or(Duration::ZERO, Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{DnsFamily, DnsSettings, FailureRefresh};

    fn settings() -> DnsSettings {
        DnsSettings {
            refresh: Duration::from_secs(60),
            respect_ttl: true,
            jitter: Duration::from_millis(100),
            after_failure: FailureRefresh::Fixed,
            family: DnsFamily::V4Only,
        }
    }

    #[test]
    fn the_time_to_live_counts_where_it_is_respected() {
        let ttl = Some(Duration::from_secs(7));
        assert_eq!(settings().wait_after_answer(ttl, 0), Duration::from_secs(7));
        assert_eq!(settings().wait_after_answer(ttl, 142), Duration::from_millis(7042));
        assert_eq!(settings().wait_after_answer(None, 0), Duration::from_secs(60));
        assert_eq!(
            settings().wait_after_answer(Some(Duration::ZERO), 0),
            Duration::from_secs(60),
            "an answer that may not be kept is not asked for without end"
        );
        let deaf = DnsSettings { respect_ttl: false, ..settings() };
        assert_eq!(deaf.wait_after_answer(ttl, 0), Duration::from_secs(60));
    }

    #[test]
    fn failures_are_asked_for_ever_less_often() {
        assert_eq!(settings().wait_after_failure(9, 1), Duration::from_secs(60));
        let growing = DnsSettings {
            after_failure: FailureRefresh::Growing {
                base: Duration::from_secs(2),
                max: Duration::from_secs(5),
            },
            ..settings()
        };
        assert_eq!(growing.wait_after_failure(1, 1_999), Duration::from_millis(1_999));
        assert_eq!(growing.wait_after_failure(2, 1_999), Duration::from_millis(1_999));
        assert_eq!(growing.wait_after_failure(2, 3_999), Duration::from_millis(3_999));
        assert_eq!(growing.wait_after_failure(99, 4_999), Duration::from_millis(4_999));
        assert_eq!(growing.wait_after_failure(1, 0), Duration::from_millis(1), "never at once");
    }
}
