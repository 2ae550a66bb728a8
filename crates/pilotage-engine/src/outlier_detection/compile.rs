//! Compiling outlier detection.

use std::time::Duration;

use pilotage_proto::envoy::config::cluster::v3::OutlierDetection as Proto;
use pilotage_proto::envoy::config::common::matcher::v3::MatchPredicate;
use pilotage_proto::envoy::config::common::matcher::v3::match_predicate::Rule;
use pilotage_proto::envoy::config::route::v3::header_matcher::HeaderMatchSpecifier;
use pilotage_proto::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use pilotage_proto::envoy::r#type::matcher::v3::string_matcher::MatchPattern;

use super::{OutlierDetection, SuccessRate, Threshold};
use crate::durations::optional;
use crate::rejection::{FieldError, Warnings};

const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);
const DEFAULT_BASE: Duration = Duration::from_secs(30);
const DEFAULT_MAX: Duration = Duration::from_secs(300);
const DEFAULT_IN_A_ROW: u32 = 5;

impl OutlierDetection {
    pub(crate) fn compile(
        proto: &Proto,
        http: Option<&HttpProtocolOptions>,
        warnings: &mut Warnings,
    ) -> Result<Self, FieldError> {
        check_percentages(proto)?;
        let above_zero = |field: &str, value: Option<&_>, default| match optional(field, value)? {
            Some(time) if time.is_zero() => Err(FieldError::new(field, "must be above zero")),
            time => Ok(time.unwrap_or(default)),
        };
        let base_ejection_time =
            above_zero("base_ejection_time", proto.base_ejection_time.as_ref(), DEFAULT_BASE)?;
        let max_ejection_time = above_zero(
            "max_ejection_time",
            proto.max_ejection_time.as_ref(),
            DEFAULT_MAX.max(base_ejection_time),
        )?;
        if max_ejection_time < base_ejection_time {
            let message = "must not be shorter than base_ejection_time";
            return Err(FieldError::new("max_ejection_time", message));
        }
        let in_a_row = |count: Option<u32>, enforcing: Option<u32>, default| Threshold {
            count: count.unwrap_or(DEFAULT_IN_A_ROW),
            enforcing_percent: enforcing.unwrap_or(default),
        };
        Ok(Self {
            interval: above_zero("interval", proto.interval.as_ref(), DEFAULT_INTERVAL)?,
            base_ejection_time,
            max_ejection_time,
            max_ejection_time_jitter: optional(
                "max_ejection_time_jitter",
                proto.max_ejection_time_jitter.as_ref(),
            )?
            .unwrap_or_default(),
            max_ejection_percent: proto.max_ejection_percent.unwrap_or(10),
            always_eject_one_host: proto.always_eject_one_host.unwrap_or(false),
            split_local_origin: proto.split_external_local_origin_errors,
            consecutive_5xx: in_a_row(proto.consecutive_5xx, proto.enforcing_consecutive_5xx, 100),
            consecutive_gateway_failure: in_a_row(
                proto.consecutive_gateway_failure,
                proto.enforcing_consecutive_gateway_failure,
                0,
            ),
            consecutive_local_origin_failure: in_a_row(
                proto.consecutive_local_origin_failure,
                proto.enforcing_consecutive_local_origin_failure,
                100,
            ),
            success_rate: success_rate(proto),
            error_codes: error_codes(http, warnings),
        })
    }
}

fn check_percentages(proto: &Proto) -> Result<(), FieldError> {
    let percentages = [
        ("max_ejection_percent", proto.max_ejection_percent),
        ("enforcing_consecutive_5xx", proto.enforcing_consecutive_5xx),
        ("enforcing_success_rate", proto.enforcing_success_rate),
        ("enforcing_consecutive_gateway_failure", proto.enforcing_consecutive_gateway_failure),
        (
            "enforcing_consecutive_local_origin_failure",
            proto.enforcing_consecutive_local_origin_failure,
        ),
        ("enforcing_local_origin_success_rate", proto.enforcing_local_origin_success_rate),
    ];
    match percentages.into_iter().find(|(_, percent)| percent.is_some_and(|p| p > 100)) {
        Some((field, _)) => Err(FieldError::new(field, "must not be above 100")),
        None => Ok(()),
    }
}

/// Success rates are worth counting only if they can have a consequence.
fn success_rate(proto: &Proto) -> Option<SuccessRate> {
    let enforcing_percent = proto.enforcing_success_rate.unwrap_or(100);
    let enforcing_local_origin_percent = if proto.split_external_local_origin_errors {
        proto.enforcing_local_origin_success_rate.unwrap_or(100)
    } else {
        0
    };
    (enforcing_percent > 0 || enforcing_local_origin_percent > 0).then(|| SuccessRate {
        minimum_hosts: proto.success_rate_minimum_hosts.unwrap_or(5),
        request_volume: proto.success_rate_request_volume.unwrap_or(100),
        stdev_factor: proto.success_rate_stdev_factor.unwrap_or(1900),
        enforcing_percent,
        enforcing_local_origin_percent,
    })
}

/// The statuses that the error matcher names: any of them alone, or joined by "or", which is all that Istio says.
fn error_codes(http: Option<&HttpProtocolOptions>, warnings: &mut Warnings) -> Option<Vec<u16>> {
    let matcher = http?.outlier_detection.as_ref()?.error_matcher.as_ref()?;
    let mut codes = Vec::new();
    if collect(matcher, &mut codes).is_none() {
        let path = "typed_extension_protocol_options.outlier_detection.error_matcher";
        warnings.note(path, "only exact statuses joined by or_match are understood: 5xx count");
        return None;
    }
    codes.sort_unstable();
    codes.dedup();
    Some(codes)
}

fn collect(predicate: &MatchPredicate, codes: &mut Vec<u16>) -> Option<()> {
    match predicate.rule.as_ref()? {
        Rule::OrMatch(set) => set.rules.iter().try_for_each(|rule| collect(rule, codes)),
        Rule::HttpResponseHeadersMatch(matched) => {
            let [header] = matched.headers.as_slice() else { return None };
            let Some(HeaderMatchSpecifier::StringMatch(text)) = &header.header_match_specifier
            else {
                return None;
            };
            let Some(MatchPattern::Exact(code)) = &text.match_pattern else { return None };
            let plain = header.name == ":status" && !header.invert_match && !text.ignore_case;
            codes.push(code.parse().ok().filter(|_| plain)?);
            Some(())
        }
        _ => None,
    }
}
