//! `http[].retries` and the mesh-wide default as Envoy's retry policy.

use pilotage_config::virtual_service::{HttpRetry, retriable_status_code};
use pilotage_proto::envoy::config::route::v3::RetryPolicy;
use pilotage_proto::envoy::config::route::v3::retry_policy::{
    RetryBackOff, RetryHostPredicate, RetryPriority, retry_host_predicate, retry_priority,
};
use pilotage_proto::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate;
use pilotage_proto::envoy::extensions::retry::priority::previous_priorities::v3::PreviousPrioritiesConfig;
use pilotage_proto::pack;

use crate::proto_ext::duration;

/// What is retried when nobody says. None of it means that the server has begun to work on the request.
const DEFAULT_CONDITIONS: &str =
    "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";
const DEFAULT_ATTEMPTS: u32 = 2;
/// How often a host that was tried already is passed over before it is taken nevertheless.
const HOST_SELECTION_ATTEMPTS: i64 = 5;

/// The policy of a route: its own, else that of the mesh, else the built-in one; nothing when retries are off.
///
/// A policy that sets only some fields takes the others from the built-in one, not from that of the mesh.
/// `hashing` says that the route has one destination and that its cluster chooses hosts by hash, so that avoiding the
/// host of the last attempt would work against the affinity.
pub(crate) fn policy(
    own: Option<&HttpRetry>,
    mesh_default: Option<&HttpRetry>,
    hashing: bool,
) -> Option<RetryPolicy> {
    let Some(wanted) = own.or(mesh_default) else {
        return Some(built_in(!hashing));
    };
    let attempts = u32::try_from(wanted.attempts).ok().filter(|attempts| *attempts > 0)?;
    let mut policy = built_in(wanted.retry_ignore_previous_hosts.unwrap_or(!hashing));
    policy.num_retries = Some(attempts);
    if !wanted.retry_on.is_empty() {
        (policy.retry_on, policy.retriable_status_codes) = conditions(&wanted.retry_on);
    }
    policy.per_try_timeout = wanted.per_try_timeout.map(duration);
    policy.retry_back_off = wanted
        .backoff
        .map(|base| RetryBackOff { base_interval: Some(duration(base)), max_interval: None });
    if wanted.retry_remote_localities == Some(true) {
        policy.retry_priority = Some(previous_priorities());
    }
    Some(policy)
}

fn built_in(avoid_previous_hosts: bool) -> RetryPolicy {
    RetryPolicy {
        retry_on: DEFAULT_CONDITIONS.to_owned(),
        num_retries: Some(DEFAULT_ATTEMPTS),
        retry_host_predicate: avoid_previous_hosts.then(previous_hosts).into_iter().collect(),
        host_selection_retry_max_attempts: HOST_SELECTION_ATTEMPTS,
        ..RetryPolicy::default()
    }
}

/// `retryOn` split into Envoy's conditions and the status codes among them.
///
/// Codes alone leave a comma at the beginning, and nothing is removed that stands twice: Istio's text, letter by letter.
fn conditions(retry_on: &str) -> (String, Vec<u32>) {
    let mut codes = Vec::new();
    let mut names = Vec::new();
    for part in retry_on.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match retriable_status_code(part) {
            Some(code) => codes.push(code),
            None => names.push(part),
        }
    }
    let mut text = names.join(",");
    if !codes.is_empty() && !text.contains("retriable-status-codes") {
        text.push_str(",retriable-status-codes");
    }
    (text, codes)
}

fn previous_hosts() -> RetryHostPredicate {
    RetryHostPredicate {
        name: "envoy.retry_host_predicates.previous_hosts".to_owned(),
        config_type: Some(retry_host_predicate::ConfigType::TypedConfig(pack(
            &PreviousHostsPredicate::default(),
        ))),
    }
}

fn previous_priorities() -> RetryPriority {
    let config = PreviousPrioritiesConfig { update_frequency: 2 };
    RetryPriority {
        name: "envoy.retry_priorities.previous_priorities".to_owned(),
        config_type: Some(retry_priority::ConfigType::TypedConfig(pack(&config))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retries(attempts: i32) -> HttpRetry {
        HttpRetry { attempts, ..HttpRetry::default() }
    }

    #[test]
    fn no_attempts_means_off() {
        assert_eq!(policy(Some(&retries(0)), Some(&retries(5)), false), None);
        assert_eq!(policy(None, Some(&retries(0)), false), None);
    }

    #[test]
    fn an_own_policy_replaces_that_of_the_mesh_as_a_whole() {
        let mesh = HttpRetry { retry_on: "5xx".into(), ..retries(7) };
        let policy = policy(Some(&retries(3)), Some(&mesh), false).unwrap();
        assert_eq!(policy.num_retries, Some(3));
        assert_eq!(policy.retry_on, DEFAULT_CONDITIONS);
    }

    #[test]
    fn hashing_keeps_the_host_unless_asked_otherwise() {
        let avoids = |own: Option<&HttpRetry>, hashing| {
            !policy(own, None, hashing).unwrap().retry_host_predicate.is_empty()
        };
        assert!(avoids(None, false));
        assert!(!avoids(None, true));
        let asked = HttpRetry { retry_ignore_previous_hosts: Some(true), ..retries(1) };
        assert!(avoids(Some(&asked), true));
        let declined = HttpRetry { retry_ignore_previous_hosts: Some(false), ..retries(1) };
        assert!(!avoids(Some(&declined), false));
    }

    #[test]
    fn codes_are_told_from_conditions() {
        assert_eq!(
            conditions("5xx, 503,,+504"),
            ("5xx,retriable-status-codes".into(), vec![503, 504])
        );
        assert_eq!(conditions("0503"), (",retriable-status-codes".into(), vec![503]));
        assert_eq!(conditions("reset,999"), ("reset,999".into(), vec![]));
        assert_eq!(conditions("503,503").1, [503, 503]);
    }
}
