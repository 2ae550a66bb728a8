//! Injected faults.

use std::time::Duration;

use http::StatusCode;
use pilotage_proto::Any;
use pilotage_proto::envoy::extensions::filters::common::fault::v3::fault_delay::FaultDelaySecifier;
use pilotage_proto::envoy::extensions::filters::http::fault::v3::HttpFault;
use pilotage_proto::envoy::extensions::filters::http::fault::v3::fault_abort::ErrorType;
use pilotage_proto::unpack;

use crate::durations::duration;
use crate::env::Env;
use crate::fraction::Fraction;
use crate::rejection::{FieldError, Warnings};
use crate::request::RequestHead;
use crate::route_match::HeaderMatch;

/// Name of the filter, which is the key of its per-route configuration.
pub(crate) const FILTER: &str = "envoy.filters.http.fault";

/// Fault of a route.
#[derive(Debug)]
pub struct Fault {
    delay: Option<(Duration, Fraction)>,
    abort: Option<(Abort, Fraction)>,
    /// Only requests to this cluster; empty: all.
    upstream_cluster: Box<str>,
    headers: Vec<HeaderMatch>,
}

/// The error that an abort answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abort {
    /// HTTP status.
    pub status: StatusCode,
    /// Status for gRPC clients.
    pub grpc_status: Option<u32>,
}

/// Which faults were drawn for one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Drawn {
    pub(crate) delay: Option<Duration>,
    pub(crate) abort: Option<Abort>,
}

impl Fault {
    pub(crate) fn compile(any: &Any, warnings: &mut Warnings) -> Result<Self, FieldError> {
        let proto: HttpFault = unpack(any).map_err(|e| FieldError::new("", e.to_string()))?;
        let headers = proto.headers.iter().enumerate().map(|(index, header)| {
            HeaderMatch::compile(header).map_err(|e| e.within(format!("headers[{index}]")))
        });
        let headers = headers.collect::<Result<_, _>>()?;
        if !proto.downstream_nodes.is_empty() {
            return Err(FieldError::new("downstream_nodes", "is not supported"));
        }
        if proto.response_rate_limit.is_some() {
            warnings.note("response_rate_limit", "answers are not slowed down");
        }
        if proto.max_active_faults.is_some() {
            warnings.note("max_active_faults", "the number of faults at a time is not limited");
        }
        Ok(Self {
            delay: delay(&proto, warnings)?,
            abort: abort(&proto, warnings)?,
            upstream_cluster: proto.upstream_cluster.into(),
            headers,
        })
    }

    /// How long requests are delayed, and which share of them.
    pub fn delay(&self) -> Option<(Duration, Fraction)> {
        self.delay
    }

    /// What requests are answered with in place of an upstream, and which share of them.
    pub fn abort(&self) -> Option<(Abort, Fraction)> {
        self.abort
    }

    /// Draws delay and abort, each by itself.
    pub(crate) fn draw(
        &self,
        head: &RequestHead<'_>,
        cluster: Option<&str>,
        env: &mut Env<'_>,
    ) -> Drawn {
        let other_cluster =
            !self.upstream_cluster.is_empty() && cluster != Some(&*self.upstream_cluster);
        if other_cluster || !self.headers.iter().all(|h| h.matches(head)) {
            return Drawn::default();
        }
        let delay = self.delay.filter(|(_, share)| share.draw(|| env.random()));
        let abort = self.abort.filter(|(_, share)| share.draw(|| env.random()));
        Drawn { delay: delay.map(|(time, _)| time), abort: abort.map(|(abort, _)| abort) }
    }
}

fn delay(
    proto: &HttpFault,
    warnings: &mut Warnings,
) -> Result<Option<(Duration, Fraction)>, FieldError> {
    let Some(delay) = &proto.delay else { return Ok(None) };
    let share = delay.percentage.as_ref().map_or(Fraction::NONE, Fraction::compile);
    match &delay.fault_delay_secifier {
        Some(FaultDelaySecifier::FixedDelay(time)) => {
            let time = duration("delay.fixed_delay", time)?;
            if time.is_zero() {
                return Err(FieldError::new("delay.fixed_delay", "must be greater than zero"));
            }
            Ok(Some((time, share)))
        }
        Some(FaultDelaySecifier::HeaderDelay(_)) => {
            warnings.note("delay.header_delay", "clients cannot ask for delays");
            Ok(None)
        }
        None => Err(FieldError::new("delay", "needs a duration")),
    }
}

fn abort(
    proto: &HttpFault,
    warnings: &mut Warnings,
) -> Result<Option<(Abort, Fraction)>, FieldError> {
    let Some(abort) = &proto.abort else { return Ok(None) };
    let share = abort.percentage.as_ref().map_or(Fraction::NONE, Fraction::compile);
    let error = match &abort.error_type {
        Some(ErrorType::HttpStatus(status)) => {
            let status = u16::try_from(*status)
                .ok()
                .filter(|status| (200..600).contains(status))
                .and_then(|status| StatusCode::from_u16(status).ok())
                .ok_or_else(|| {
                    let message = "must be at least 200 and below 600";
                    FieldError::new("abort.http_status", message)
                })?;
            Abort { status, grpc_status: None }
        }
        Some(ErrorType::GrpcStatus(status)) => {
            // Clients that do not speak gRPC are told nothing is wrong, as Envoy does.
            Abort { status: StatusCode::OK, grpc_status: Some(*status) }
        }
        Some(ErrorType::HeaderAbort(_)) => {
            warnings.note("abort.header_abort", "clients cannot ask for aborts");
            return Ok(None);
        }
        None => return Err(FieldError::new("abort", "needs a status")),
    };
    Ok(Some((error, share)))
}

#[cfg(test)]
mod tests {
    use pilotage_proto::envoy::extensions::filters::http::fault::v3::HttpFault;
    use pilotage_proto::json::from_value;
    use pilotage_proto::pack;
    use serde_json::{Value, json};

    use super::Fault;
    use crate::rejection::{FieldError, Warnings};

    fn compile(fault: &Value) -> Result<Fault, FieldError> {
        let proto: HttpFault = from_value(fault).unwrap();
        Fault::compile(&pack(&proto), &mut Warnings::default())
    }

    #[test]
    fn aborts_have_a_status_of_either_kind() {
        let abort = |abort| compile(&json!({"abort": abort})).unwrap().abort.unwrap().0;
        let http = abort(json!({"httpStatus": 418}));
        assert_eq!((http.status.as_u16(), http.grpc_status), (418, None));
        let grpc = abort(json!({"grpcStatus": 5}));
        assert_eq!((grpc.status.as_u16(), grpc.grpc_status), (200, Some(5)));
        assert!(compile(&json!({})).unwrap().abort.is_none());
        for wrong in [
            json!({"abort": {"httpStatus": 600}}),
            json!({"abort": {}}),
            json!({"delay": {}}),
            json!({"delay": {"fixedDelay": "0s"}}),
            json!({"downstreamNodes": ["x"]}),
        ] {
            assert!(compile(&wrong).is_err(), "{wrong}");
        }
    }
}
