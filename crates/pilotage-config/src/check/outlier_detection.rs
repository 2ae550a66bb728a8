//! Rules of outlier detection.

use super::checker::Checker;
use crate::destination_rule::OutlierDetection;
use crate::field_path::FieldPath;

pub(super) fn check(settings: &OutlierDetection, at: &FieldPath, checker: &mut Checker<'_>) {
    checker.duration(&at.field("baseEjectionTime"), settings.base_ejection_time);
    checker.duration(&at.field("interval"), settings.interval);
    if settings.consecutive_errors != 0 {
        checker.warning(
            &at.field("consecutiveErrors"),
            "`consecutiveErrors` is deprecated and does nothing",
            "write consecutive5xxErrors or consecutiveGatewayErrors",
        );
    }
    let local = settings.consecutive_local_origin_failures.unwrap_or_default();
    if !settings.split_external_local_origin_errors && local > 0 {
        checker.error(
            &at.field("consecutiveLocalOriginFailures"),
            "local failures are counted by themselves only with `splitExternalLocalOriginErrors: true`",
            "needs the split",
        );
    }
    checker.percent(&at.field("maxEjectionPercent"), settings.max_ejection_percent);
    checker.percent(&at.field("minHealthPercent"), settings.min_health_percent);
}
