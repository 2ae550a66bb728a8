//! Rules of fault injection.

use super::checker::Checker;
use crate::codes;
use crate::field_path::FieldPath;
use crate::virtual_service::{HttpFaultInjection, Percent, grpc_status_number};

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
