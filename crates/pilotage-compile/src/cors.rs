//! `http[].corsPolicy` as the configuration of Envoy's CORS filter for one route.

use pilotage_config::virtual_service::{CorsPolicy, StringMatch, UnmatchedPreflights};
use pilotage_proto::envoy::extensions::filters::http::cors::v3::CorsPolicy as FilterPolicy;

use crate::percentages;
use crate::string_match::string_matcher;

/// The name of the filter, the key of its configuration on routes.
pub(crate) const FILTER: &str = "envoy.filters.http.cors";

/// The filter's configuration; the filter is on, even when the policy says nothing.
pub(crate) fn policy(policy: &CorsPolicy) -> FilterPolicy {
    let origins = if policy.allow_origins.is_empty() {
        let exact = policy.allow_origin.iter().map(|origin| StringMatch::Exact(origin.clone()));
        exact.filter_map(|origin| string_matcher(&origin)).collect()
    } else {
        policy.allow_origins.iter().filter_map(string_matcher).collect()
    };
    FilterPolicy {
        allow_origin_string_match: origins,
        allow_methods: policy.allow_methods.join(","),
        allow_headers: policy.allow_headers.join(","),
        expose_headers: policy.expose_headers.join(","),
        max_age: policy
            .max_age
            .map(|age| (age.as_nanos() / 1_000_000_000).to_string())
            .unwrap_or_default(),
        allow_credentials: policy.allow_credentials,
        filter_enabled: Some(percentages::fixed(percentages::of_whole(100))),
        forward_not_matching_preflights: Some(
            policy.unmatched_preflights != UnmatchedPreflights::Ignore,
        ),
        ..FilterPolicy::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pilotage_config::duration::Duration;

    #[test]
    fn the_old_list_counts_only_when_the_new_one_is_empty() {
        let old =
            CorsPolicy { allow_origin: vec!["a".into(), "*".into()], ..CorsPolicy::default() };
        assert_eq!(policy(&old).allow_origin_string_match.len(), 2);
        let both = CorsPolicy { allow_origins: vec![StringMatch::Prefix("b".into())], ..old };
        assert_eq!(policy(&both).allow_origin_string_match.len(), 1);
    }

    #[test]
    fn an_age_is_in_seconds_and_an_empty_policy_is_on() {
        let aged =
            CorsPolicy { max_age: Some(Duration::from_secs(86_461)), ..CorsPolicy::default() };
        assert_eq!(policy(&aged).max_age, "86461");
        assert!(policy(&CorsPolicy::default()).filter_enabled.is_some());
    }
}
