//! Limits on connections, requests and retries.

use pilotage_config::destination_rule::{ConnectionPoolSettings, RetryBudget};
use pilotage_proto::envoy::config::cluster::v3::CircuitBreakers;
use pilotage_proto::envoy::config::cluster::v3::circuit_breakers::Thresholds;
use pilotage_proto::envoy::config::cluster::v3::circuit_breakers::thresholds::RetryBudget as Budget;
use pilotage_proto::envoy::r#type::v3::Percent;

use crate::proto_ext::duration;

/// The share of requests that may be retries when a budget does not say.
const BUDGET_PERCENT: f64 = 20.0;
/// The retries that are always allowed when a budget does not say.
const BUDGET_LEAST: u32 = 3;

/// The limits of a connection pool; what is absent or 0 is unlimited.
pub(super) fn build(
    pool: Option<&ConnectionPoolSettings>,
    budget: Option<&RetryBudget>,
) -> CircuitBreakers {
    let tcp = pool.and_then(|pool| pool.tcp.as_ref());
    let http = pool.and_then(|pool| pool.http.as_ref());
    let limit = |written: Option<i32>| {
        let positive =
            written.and_then(|limit| u32::try_from(limit).ok()).filter(|limit| *limit > 0);
        Some(positive.unwrap_or(u32::MAX))
    };
    let thresholds = Thresholds {
        max_connections: limit(tcp.map(|tcp| tcp.max_connections)),
        max_pending_requests: limit(http.map(|http| http.http1_max_pending_requests)),
        max_requests: limit(http.map(|http| http.http2_max_requests)),
        max_retries: limit(http.map(|http| http.max_retries)),
        retry_budget: budget.map(retry_budget),
        ..Thresholds::default()
    };
    CircuitBreakers { thresholds: vec![thresholds], ..CircuitBreakers::default() }
}

fn retry_budget(budget: &RetryBudget) -> Budget {
    let least = budget.min_retry_concurrency;
    Budget {
        budget_percent: Some(Percent {
            value: budget.percent.map_or(BUDGET_PERCENT, |percent| percent.get()),
        }),
        min_retry_concurrency: Some(if least == 0 { BUDGET_LEAST } else { least }),
        budget_interval: budget.budget_interval.map(duration),
    }
}
