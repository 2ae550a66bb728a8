//! `http[].timeout`.

use pilotage_config::duration::Duration;
use pilotage_proto::envoy::config::route::v3::RouteAction;

use crate::proto_ext;

/// Sets the time for a whole request, retries included; none is no limit, where Envoy's own default would be 15 s.
///
/// A gRPC client's own `grpc-timeout` is honoured up to the same time, or without limit.
pub(crate) fn set(action: &mut RouteAction, timeout: Option<Duration>) {
    let timeout = proto_ext::duration(timeout.unwrap_or(Duration::ZERO));
    action.timeout = Some(timeout);
    action.max_grpc_timeout = Some(timeout);
}
