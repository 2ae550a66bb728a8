//! When endpoints are taken out for failing.

use pilotage_config::destination_rule::OutlierDetection as Written;
use pilotage_proto::envoy::config::cluster::v3::OutlierDetection;
use pilotage_proto::envoy::config::common::matcher::v3::match_predicate::{MatchSet, Rule};
use pilotage_proto::envoy::config::common::matcher::v3::{HttpHeadersMatch, MatchPredicate};
use pilotage_proto::envoy::config::route::v3::HeaderMatcher;
use pilotage_proto::envoy::config::route::v3::header_matcher::HeaderMatchSpecifier;
use pilotage_proto::envoy::extensions::upstreams::http::v3::http_protocol_options;
use pilotage_proto::envoy::r#type::matcher::v3::StringMatcher;
use pilotage_proto::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use pilotage_proto::envoy::r#type::v3::Percent;

use super::draft::Draft;
use crate::proto_ext::duration;

/// Applies outlier detection. It always decides the share of healthy endpoints below which all are used, also when
/// that is 0.
pub(super) fn apply(draft: &mut Draft, written: Option<&Written>) {
    let Some(written) = written else { return };
    draft.cluster.outlier_detection = Some(build(written));
    if written.min_health_percent >= 0 {
        let common = draft.cluster.common_lb_config.get_or_insert_default();
        common.healthy_panic_threshold =
            Some(Percent { value: f64::from(written.min_health_percent) });
    }
    if !written.outlier_detection_http_error_codes.is_empty() {
        draft.http().outlier_detection = Some(http_protocol_options::OutlierDetection {
            error_matcher: Some(any_status(&written.outlier_detection_http_error_codes)),
        });
    }
}

fn build(written: &Written) -> OutlierDetection {
    // Success rates are never compared.
    let mut detection =
        OutlierDetection { enforcing_success_rate: Some(0), ..OutlierDetection::default() };
    let enforcing = |errors: u32| Some(if errors > 0 { 100 } else { 0 });
    if let Some(errors) = written.consecutive_5xx_errors {
        detection.consecutive_5xx = Some(errors);
        detection.enforcing_consecutive_5xx = enforcing(errors);
    }
    if let Some(errors) = written.consecutive_gateway_errors {
        detection.consecutive_gateway_failure = Some(errors);
        detection.enforcing_consecutive_gateway_failure = enforcing(errors);
    }
    detection.interval = written.interval.map(duration);
    detection.base_ejection_time = written.base_ejection_time.map(duration);
    let percent = u32::try_from(written.max_ejection_percent).ok();
    detection.max_ejection_percent = percent.filter(|percent| *percent > 0);
    if written.split_external_local_origin_errors {
        detection.split_external_local_origin_errors = true;
        detection.enforcing_local_origin_success_rate = Some(0);
        let errors = written.consecutive_local_origin_failures;
        if let Some(errors) = errors.filter(|errors| *errors > 0) {
            detection.consecutive_local_origin_failure = Some(errors);
            detection.enforcing_consecutive_local_origin_failure = Some(100);
        }
    }
    detection
}

/// Matches responses with one of these codes.
fn any_status(codes: &[u32]) -> MatchPredicate {
    let rules = codes.iter().map(|code| {
        let exact = StringMatcher {
            match_pattern: Some(MatchPattern::Exact(code.to_string())),
            ..StringMatcher::default()
        };
        let header = HeaderMatcher {
            name: ":status".to_owned(),
            header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(exact)),
            ..HeaderMatcher::default()
        };
        let headers = HttpHeadersMatch { headers: vec![header] };
        MatchPredicate { rule: Some(Rule::HttpResponseHeadersMatch(headers)) }
    });
    MatchPredicate { rule: Some(Rule::OrMatch(MatchSet { rules: rules.collect() })) }
}
