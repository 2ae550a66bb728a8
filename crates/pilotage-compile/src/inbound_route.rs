//! The one route of an inbound HTTP chain: everything to the workload. Rules do not apply to what comes in.

use pilotage_config::virtual_service::HttpRetry;
use pilotage_model::{Mesh, Protocol};
use pilotage_proto::envoy::config::route::v3::retry_policy::RetryBackOff;
use pilotage_proto::envoy::config::route::v3::route::Action;
use pilotage_proto::envoy::config::route::v3::route_action::{ClusterSpecifier, MaxStreamDuration};
use pilotage_proto::envoy::config::route::v3::{
    RetryPolicy, Route, RouteAction, RouteConfiguration, VirtualHost,
};

use crate::default_route::{NAME, decorator};
use crate::http_match;
use crate::proto_ext::duration;

/// The server closed an idle connection just when the request was sent: nothing was lost, so it is sent again.
const BEFORE_REQUEST: &str = "reset-before-request";

/// The route configuration of an inbound chain that leads to `cluster`, and is named like it. `port` is that of the
/// service, 0 where there is none; `operation` is `host:port` of the service as traces show it.
pub(crate) fn configuration(
    mesh: &Mesh,
    cluster: &str,
    port: u16,
    operation: &str,
    protocol: Protocol,
) -> RouteConfiguration {
    let none = Some(pilotage_proto::Duration::default());
    let action = RouteAction {
        cluster_specifier: Some(ClusterSpecifier::Cluster(cluster.to_owned())),
        timeout: none,
        max_stream_duration: Some(MaxStreamDuration {
            max_stream_duration: none,
            grpc_timeout_header_max: none,
            ..MaxStreamDuration::default()
        }),
        retry_policy: retries(mesh, protocol),
        ..RouteAction::default()
    };
    let route = Route {
        name: NAME.to_owned(),
        r#match: Some(http_match::every_request()),
        action: Some(Action::Route(action)),
        decorator: Some(decorator(format!("{operation}/*"))),
        ..Route::default()
    };
    let host = VirtualHost {
        name: format!("inbound|http|{port}"),
        domains: vec!["*".to_owned()],
        routes: vec![route],
        ..VirtualHost::default()
    };
    RouteConfiguration {
        name: cluster.to_owned(),
        virtual_hosts: vec![host],
        validate_clusters: Some(false),
        ..RouteConfiguration::default()
    }
}

/// gRPC clients retry on their own. Of the mesh-wide policy for what comes in, attempts, conditions and backoff count.
fn retries(mesh: &Mesh, protocol: Protocol) -> Option<RetryPolicy> {
    if matches!(protocol, Protocol::Grpc | Protocol::GrpcWeb) {
        return None;
    }
    let built_in = RetryPolicy {
        retry_on: BEFORE_REQUEST.to_owned(),
        num_retries: Some(2),
        ..RetryPolicy::default()
    };
    match &mesh.config().default_inbound_http_retry_policy {
        None => Some(built_in),
        Some(wanted) => of_mesh(wanted, built_in),
    }
}

fn of_mesh(wanted: &HttpRetry, built_in: RetryPolicy) -> Option<RetryPolicy> {
    let attempts = u32::try_from(wanted.attempts).ok().filter(|attempts| *attempts > 0)?;
    let back_off = wanted
        .backoff
        .map(|base| RetryBackOff { base_interval: Some(duration(base)), max_interval: None });
    let retry_on = match wanted.retry_on.as_str() {
        "" => built_in.retry_on.clone(),
        conditions => conditions.to_owned(),
    };
    Some(RetryPolicy {
        num_retries: Some(attempts),
        retry_on,
        retry_back_off: back_off,
        ..built_in
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pilotage_config::mesh::MeshConfig;

    fn mesh(policy: Option<HttpRetry>) -> Mesh {
        let default_inbound_http_retry_policy = policy;
        Mesh::new(MeshConfig { default_inbound_http_retry_policy, ..MeshConfig::default() })
    }

    #[test]
    fn only_what_the_server_never_saw_is_sent_again() {
        let policy = retries(&mesh(None), Protocol::Http).unwrap();
        assert_eq!((policy.num_retries, policy.retry_on.as_str()), (Some(2), BEFORE_REQUEST));
        assert_eq!(retries(&mesh(None), Protocol::Grpc), None);
    }

    #[test]
    fn the_mesh_may_turn_it_off_or_say_more() {
        assert_eq!(retries(&mesh(Some(HttpRetry::default())), Protocol::Http), None);
        let more = HttpRetry { attempts: 4, retry_on: "5xx".into(), ..HttpRetry::default() };
        let policy = retries(&mesh(Some(more)), Protocol::Auto).unwrap();
        assert_eq!((policy.num_retries, policy.retry_on.as_str()), (Some(4), "5xx"));
    }
}
