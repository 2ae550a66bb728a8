//! What a route says about retries.

use std::time::Duration;

use pilotage_proto::envoy::config::route::v3::RetryPolicy as Proto;
use pilotage_proto::envoy::config::route::v3::retry_policy::retry_priority::ConfigType;
use pilotage_proto::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate;
use pilotage_proto::envoy::extensions::retry::priority::previous_priorities::v3::PreviousPrioritiesConfig;
use pilotage_proto::{Name, type_name, unpack};

use super::RetryConditions;
use crate::durations::{limit, optional};
use crate::rejection::{FieldError, Warnings};
use crate::request::RequestHead;
use crate::route_match::HeaderMatch;

/// First wait when nothing is configured.
const DEFAULT_BASE_INTERVAL: Duration = Duration::from_millis(25);

/// What a route says about retries.
#[derive(Debug)]
pub struct RetryPolicy {
    /// When to try again.
    pub conditions: RetryConditions,
    /// How often.
    pub max_retries: u32,
    /// Limit of each attempt; `None`: the limit of the whole request.
    pub per_try_timeout: Option<Duration>,
    /// Limit of inactivity in each attempt.
    pub per_try_idle_timeout: Option<Duration>,
    /// Status codes that are retried under `retriable-status-codes`.
    pub status_codes: Vec<u16>,
    /// Upper end of the first wait; doubles with each retry.
    pub base_interval: Duration,
    /// Upper end of the longest wait.
    pub max_interval: Duration,
    /// Endpoints that were tried are avoided.
    pub avoid_previous_hosts: bool,
    /// How often an endpoint is drawn again to avoid those.
    pub max_redraws: u32,
    /// Priorities that were tried are avoided after so many attempts.
    pub avoid_previous_priorities: Option<u32>,
    /// Response headers of which any makes an answer retriable under `retriable-headers`.
    pub(super) retriable_headers: Vec<HeaderMatch>,
    /// Request headers of which one must match for anything to be retried; empty: no such condition.
    request_headers: Vec<HeaderMatch>,
}

impl RetryPolicy {
    pub(crate) fn compile(proto: &Proto, warnings: &mut Warnings) -> Result<Self, FieldError> {
        let (conditions, unknown) = RetryConditions::parse(&proto.retry_on);
        for word in unknown {
            warnings.note("retry_on", format!("`{word}` is not a retry condition"));
        }
        let (base_interval, max_interval) = intervals(proto)?;
        let codes = proto.retriable_status_codes.iter().filter_map(|c| u16::try_from(*c).ok());
        Ok(Self {
            conditions,
            max_retries: proto.num_retries.unwrap_or(1),
            per_try_timeout: limit("per_try_timeout", proto.per_try_timeout.as_ref(), None)?,
            per_try_idle_timeout: limit(
                "per_try_idle_timeout",
                proto.per_try_idle_timeout.as_ref(),
                None,
            )?,
            status_codes: codes.collect(),
            base_interval,
            max_interval,
            avoid_previous_hosts: avoids_previous_hosts(proto, warnings),
            max_redraws: u32::try_from(proto.host_selection_retry_max_attempts).unwrap_or(1).max(1),
            avoid_previous_priorities: previous_priorities(proto, warnings),
            retriable_headers: matchers("retriable_headers", &proto.retriable_headers)?,
            request_headers: matchers(
                "retriable_request_headers",
                &proto.retriable_request_headers,
            )?,
        })
    }

    /// Whether the request is one of those that may be retried.
    pub(super) fn accepts(&self, head: &RequestHead<'_>) -> bool {
        self.request_headers.is_empty() || self.request_headers.iter().any(|h| h.matches(head))
    }
}

fn matchers(
    field: &str,
    protos: &[pilotage_proto::envoy::config::route::v3::HeaderMatcher],
) -> Result<Vec<HeaderMatch>, FieldError> {
    let compiled = protos.iter().enumerate().map(|(index, header)| {
        HeaderMatch::compile(header).map_err(|e| e.within(format!("{field}[{index}]")))
    });
    compiled.collect()
}

fn intervals(proto: &Proto) -> Result<(Duration, Duration), FieldError> {
    let Some(back_off) = &proto.retry_back_off else {
        return Ok((DEFAULT_BASE_INTERVAL, DEFAULT_BASE_INTERVAL.saturating_mul(10)));
    };
    let base = optional("retry_back_off.base_interval", back_off.base_interval.as_ref())?
        .filter(|base| !base.is_zero())
        .ok_or_else(|| FieldError::new("retry_back_off.base_interval", "must be above zero"))?
        // Shorter waits are not told apart.
        .max(Duration::from_millis(1));
    let max = optional("retry_back_off.max_interval", back_off.max_interval.as_ref())?
        .unwrap_or_else(|| base.saturating_mul(10));
    if max < base {
        let message = "must not be shorter than base_interval";
        return Err(FieldError::new("retry_back_off.max_interval", message));
    }
    Ok((base, max))
}

fn avoids_previous_hosts(proto: &Proto, warnings: &mut Warnings) -> bool {
    use pilotage_proto::envoy::config::route::v3::retry_policy::retry_host_predicate::ConfigType;
    let mut avoids = false;
    for (index, predicate) in proto.retry_host_predicate.iter().enumerate() {
        let known = match &predicate.config_type {
            Some(ConfigType::TypedConfig(any)) => {
                type_name(any) == PreviousHostsPredicate::full_name()
            }
            None => predicate.name == "envoy.retry_host_predicates.previous_hosts",
        };
        if known {
            avoids = true;
        } else {
            let path = format!("retry_host_predicate[{index}]");
            warnings.note(&path, format!("`{}` is not supported", predicate.name));
        }
    }
    avoids
}

fn previous_priorities(proto: &Proto, warnings: &mut Warnings) -> Option<u32> {
    let priority = proto.retry_priority.as_ref()?;
    let config = match &priority.config_type {
        Some(ConfigType::TypedConfig(any)) => unpack::<PreviousPrioritiesConfig>(any).ok(),
        None => None,
    };
    match config {
        Some(config) => Some(u32::try_from(config.update_frequency).unwrap_or(1).max(1)),
        None => {
            warnings.note("retry_priority", format!("`{}` is not supported", priority.name));
            None
        }
    }
}
