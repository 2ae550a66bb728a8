//! Rules of fault injection and mirroring: both take a percentage of the requests.

use super::checker::Checker;
use super::http_route;
use crate::codes;
use crate::field_path::FieldPath;
use crate::virtual_service::{HttpFaultInjection, HttpRoute, Percent, grpc_status_number};

/// The smallest share that a fault can have, in percent.
const PERCENT_MIN: f64 = 0.0001;

pub(super) fn check(fault: &HttpFaultInjection, at: &FieldPath, checker: &mut Checker<'_>) {
    if fault.abort.is_none() && fault.delay.is_none() {
        checker.error(at, "a fault is a delay or an abort", "neither is here");
    }
    if let Some(abort) = &fault.abort {
        let at = at.field("abort");
        percentage(abort.percentage.as_ref(), &at, checker);
        if abort.http2_error.is_some() {
            checker.error(&at.field("http2Error"), "`http2Error` is not supported", "by nobody");
            checker.help("use `httpStatus` or `grpcStatus`");
        }
        if let Some(status) = abort.http_status.filter(|s| !(200..=600).contains(s)) {
            let message = format!("{status} is not a status from 200 to 600");
            checker.error(&at.field("httpStatus"), message, "not a status");
        }
        if let Some(status) =
            abort.grpc_status.as_ref().filter(|name| grpc_status_number(name).is_none())
        {
            let message = format!("`{status}` is not the name of a gRPC status");
            checker.error(&at.field("grpcStatus"), message, "for instance UNAVAILABLE");
        }
    }
    if let Some(delay) = &fault.delay {
        let at = at.field("delay");
        percentage(delay.percentage.as_ref(), &at, checker);
        checker.duration(&at.field("fixedDelay"), delay.fixed_delay);
        if delay.exponential_delay.is_some() {
            let at = at.field("exponentialDelay");
            checker.error(&at, "`exponentialDelay` is not supported", "by nobody");
            checker.help("use `fixedDelay`");
        }
        if delay.percent > 0 {
            let at = at.field("percent");
            let message = "`percent` is deprecated";
            checker.problem(codes::IST0002, &at, message, "write percentage: {value: …}");
            checker.istio(
                "Deprecated: HTTPRoute.fault.delay.percent is deprecated; use HTTPRoute.fault.delay.percentage",
            );
        }
    }
}

fn percentage(share: Option<&Percent>, at: &FieldPath, checker: &mut Checker<'_>) {
    let Some(share) = share else { return };
    let value = share.value.get();
    let fine = value == 0.0 || (PERCENT_MIN..=100.0).contains(&value);
    if !fine {
        checker.error(
            &at.field("percentage"),
            format!("{value} is not a percentage: 0, or {PERCENT_MIN} to 100"),
            "not a percentage",
        );
    }
}

/// `mirror`, `mirrors` and their shares.
pub(super) fn mirrors(route: &HttpRoute, at: &FieldPath, checker: &mut Checker<'_>) {
    if route.mirror.is_some() && !route.mirrors.is_empty() {
        checker.error(
            &at.field("mirrors"),
            "`mirror` and `mirrors` cannot stand together",
            "one of them",
        );
        checker.help("`mirrors` can hold the destination of `mirror` as well");
    }
    if let Some(percent) = route.mirror_percent {
        let at = at.field("mirrorPercent");
        checker.warning(&at, "`mirrorPercent` is deprecated", "write mirrorPercentage: {value: …}");
        if percent > 100 {
            checker.error(&at, format!("{percent} is more than 100 percent"), "not a percentage");
        }
    }
    mirror_share(route.mirror_percentage.as_ref(), &at.field("mirrorPercentage"), checker);
    if let Some(mirror) = &route.mirror {
        http_route::destination(mirror, &at.field("mirror"), checker);
    }
    for (index, mirror) in route.mirrors.iter().enumerate() {
        let at = at.field("mirrors").index(index);
        match &mirror.destination {
            Some(destination) => {
                http_route::destination(destination, &at.field("destination"), checker);
            }
            None => checker.error(&at, "a mirror needs a destination", "to where?"),
        }
        mirror_share(mirror.percentage.as_ref(), &at.field("percentage"), checker);
    }
}

fn mirror_share(share: Option<&Percent>, at: &FieldPath, checker: &mut Checker<'_>) {
    if let Some(value) = share.map(|s| s.value.get()).filter(|v| !(0.0..=100.0).contains(v)) {
        checker.error(at, format!("{value} is not a percentage from 0 to 100"), "not a percentage");
    }
}
