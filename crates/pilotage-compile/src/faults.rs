//! `http[].fault` as the configuration of Envoy's fault filter for one route.

use pilotage_config::virtual_service::{Abort, Delay, HttpFaultInjection, grpc_status_number};
use pilotage_proto::envoy::extensions::filters::common::fault::v3::FaultDelay;
use pilotage_proto::envoy::extensions::filters::common::fault::v3::fault_delay::FaultDelaySecifier;
use pilotage_proto::envoy::extensions::filters::http::fault::v3::fault_abort::ErrorType;
use pilotage_proto::envoy::extensions::filters::http::fault::v3::{FaultAbort, HttpFault};

use crate::percentages;
use crate::proto_ext::duration;

/// The name of the filter, the key of its configuration on routes.
pub(crate) const FILTER: &str = "envoy.filters.http.fault";

/// The filter's configuration. A delay or abort that says no kind is left out, as Istio does.
pub(crate) fn fault(fault: &HttpFaultInjection) -> HttpFault {
    HttpFault {
        delay: fault.delay.as_ref().and_then(delay),
        abort: fault.abort.as_ref().and_then(abort),
        ..HttpFault::default()
    }
}

fn delay(delay: &Delay) -> Option<FaultDelay> {
    let fixed = delay.fixed_delay?;
    // A delay without any share is a delay of no request.
    let share = match &delay.percentage {
        Some(percentage) => percentages::of_percent(percentage),
        None => percentages::of_whole(delay.percent.into()),
    };
    Some(FaultDelay {
        fault_delay_secifier: Some(FaultDelaySecifier::FixedDelay(duration(fixed))),
        percentage: Some(share),
    })
}

fn abort(abort: &Abort) -> Option<FaultAbort> {
    let error = match (abort.http_status, &abort.grpc_status) {
        (Some(status), _) => ErrorType::HttpStatus(u32::try_from(status).ok()?),
        (None, Some(name)) => ErrorType::GrpcStatus(grpc_status_number(name)?),
        (None, None) => return None,
    };
    Some(FaultAbort {
        error_type: Some(error),
        percentage: abort.percentage.as_ref().map(percentages::of_percent),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pilotage_config::duration::Duration;
    use pilotage_config::virtual_service::Percent;

    #[test]
    fn a_delay_falls_back_to_whole_percent_and_then_to_nothing() {
        let of = |percent, percentage| {
            let delay = Delay {
                fixed_delay: Some(Duration::from_secs(2)),
                percent,
                percentage,
                ..Delay::default()
            };
            let fault = fault(&HttpFaultInjection { delay: Some(delay), abort: None });
            fault.delay.unwrap().percentage.unwrap()
        };
        assert_eq!(of(30, None), percentages::of_whole(30));
        assert_eq!(of(0, None), percentages::of_whole(0));
        let half = Percent { value: 0.5.into() };
        assert_eq!(of(30, Some(half.clone())), percentages::of_percent(&half));
    }

    #[test]
    fn an_abort_without_kind_is_no_abort() {
        let abort = Abort { percentage: Some(Percent { value: 100.0.into() }), ..Abort::default() };
        let fault = fault(&HttpFaultInjection { delay: None, abort: Some(abort) });
        assert_eq!(fault, HttpFault::default());
    }
}
