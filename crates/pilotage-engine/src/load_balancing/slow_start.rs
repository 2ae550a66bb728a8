//! Slow start: a new endpoint begins with a small share and grows to its own.

use std::time::Duration;

use pilotage_proto::envoy::config::cluster::v3::cluster::SlowStartConfig as Proto;

use crate::durations::optional;
use crate::live_state::{ClusterState, EndpointState};
use crate::rejection::FieldError;

/// How endpoints grow to their share. xDS: `slow_start_config` of ROUND_ROBIN and LEAST_REQUEST.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlowStart {
    /// How long it takes.
    pub window: Duration,
    /// 1 grows in proportion to time; more than 1 faster at first, less than 1 slower.
    pub aggression: f64,
    /// Part of its own weight that an endpoint has at least, 0 to 1.
    pub min_weight: f64,
}

impl SlowStart {
    /// Nothing if the window is empty.
    pub(crate) fn compile(proto: Option<&Proto>) -> Result<Option<Self>, FieldError> {
        let Some(proto) = proto else { return Ok(None) };
        let window = optional("slow_start_window", proto.slow_start_window.as_ref())?;
        let aggression = proto.aggression.as_ref().map_or(1.0, |a| a.default_value);
        let min_weight = proto.min_weight_percent.as_ref().map_or(10.0, |p| p.value);
        if !(0.0..=100.0).contains(&min_weight) {
            return Err(FieldError::new("min_weight_percent", "must be between 0 and 100"));
        }
        Ok(window.filter(|window| !window.is_zero()).map(|window| Self {
            window,
            // What cannot be an exponent counts as none.
            aggression: if aggression > 0.0 { aggression } else { 1.0 },
            min_weight: min_weight / 100.0,
        }))
    }

    /// Whether any endpoint of the cluster may still be growing.
    pub(super) fn is_under_way(&self, cluster: &ClusterState, now: Duration) -> bool {
        let last = cluster.last_arrival();
        last.is_some_and(|last| millis(now.saturating_sub(last)) <= millis(self.window))
    }

    /// The part of its weight that an endpoint has now.
    pub fn factor(&self, endpoint: &EndpointState, now: Duration) -> f64 {
        let Some(since) = endpoint.in_service_since() else { return 1.0 };
        let (served, window) = (millis(now.saturating_sub(since)), millis(self.window));
        if served >= window {
            return 1.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "milliseconds are far below 2^52")]
        let time = served.max(1) as f64 / window as f64;
        let grown = if self.aggression == 1.0 { time } else { time.powf(1.0 / self.aggression) };
        grown.max(self.min_weight)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
