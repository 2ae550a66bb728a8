//! Istio's standard request metrics and their labels.

use std::sync::Arc;
use std::time::Duration;

use pilotage_engine::cluster::{ClusterSettings, ServiceName};
use pilotage_engine::response_flag::ResponseFlags;

use super::counter::{Counter, Histogram};
use super::labels::push_label;

/// How names of clusters towards the proxy's own workload begin.
const INBOUND: &str = "inbound|";
/// The cluster of ports of the workload that no service names.
const INBOUND_PASSTHROUGH: &str = "InboundPassthroughCluster";

/// Who this proxy speaks for: the `source_*` labels. Empty values print as `unknown`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Label `source_workload`.
    pub workload: String,
    /// Label `source_workload_namespace`.
    pub namespace: String,
    /// Labels `source_app` and `source_canonical_service`.
    pub app: String,
    /// Labels `source_version` and `source_canonical_revision`.
    pub version: String,
    /// Label `source_cluster`.
    pub cluster: String,
}

/// The service that a request went to: the `destination_*` labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Destination {
    /// It is the proxy's own workload: the proxy speaks as the server.
    pub(crate) is_own: bool,
    pub(crate) service: String,
    pub(crate) service_name: String,
    pub(crate) service_namespace: String,
    pub(crate) version: String,
}

impl Destination {
    /// What is known of the service of a cluster.
    pub(crate) fn of(cluster: &ClusterSettings) -> Self {
        let of_name = Self::of_cluster(&cluster.name);
        match &cluster.service {
            Some(ServiceName { host, name, namespace }) => Self {
                service: host.clone(),
                service_name: name.clone(),
                service_namespace: namespace.clone(),
                ..of_name
            },
            None => of_name,
        }
    }

    /// What the name of an Istio cluster tells: `outbound|<port>|<subset>|<host>`; for the clusters that are not
    /// a service (`PassthroughCluster`, `BlackHoleCluster`) the name itself stands for it, as in Istio. Clusters
    /// towards the workload (`inbound|<port>||`) have no host in their name.
    pub(crate) fn of_cluster(name: &str) -> Self {
        if name.starts_with(INBOUND) || name == INBOUND_PASSTHROUGH {
            let service_name = if name == INBOUND_PASSTHROUGH { name } else { "" };
            return Self { is_own: true, service_name: service_name.to_owned(), ..Self::default() };
        }
        let mut parts = name.splitn(4, '|');
        let (Some(_direction), Some(_port), Some(subset), Some(host)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Self { service_name: name.to_owned(), ..Self::default() };
        };
        let (short, namespace) = match host.split_once(".svc.") {
            Some((front, _domain)) => front.split_once('.').unwrap_or((front, "")),
            None => (host, ""),
        };
        Self {
            service: host.to_owned(),
            service_name: short.to_owned(),
            service_namespace: namespace.to_owned(),
            version: subset.to_owned(),
            is_own: false,
        }
    }
}

/// What tells one series of a worker from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RequestKey {
    pub(crate) cluster: Option<Arc<str>>,
    pub(crate) status: u16,
    pub(crate) flags: ResponseFlags,
    /// `grpc-status` of gRPC requests.
    pub(crate) grpc_status: Option<i32>,
}

/// The request metrics of one label set at one worker.
#[derive(Debug)]
pub(crate) struct RequestSeries {
    /// All labels as they are printed, between the braces.
    pub(crate) labels: String,
    pub(crate) total: Counter,
    pub(crate) duration: Histogram,
    pub(crate) request_bytes: Histogram,
    pub(crate) response_bytes: Histogram,
}

impl RequestSeries {
    pub(crate) fn new(key: &RequestKey, source: &Source, destination: &Destination) -> Self {
        Self {
            labels: labels(key, source, destination),
            total: Counter::default(),
            duration: Histogram::default(),
            request_bytes: Histogram::default(),
            response_bytes: Histogram::default(),
        }
    }

    /// Counts one finished request.
    pub(crate) fn record(&self, duration: Duration, request_bytes: u64, response_bytes: u64) {
        self.total.add(1);
        self.duration.record(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        self.request_bytes.record(request_bytes);
        self.response_bytes.record(response_bytes);
    }
}

fn labels(key: &RequestKey, source: &Source, to: &Destination) -> String {
    let status = key.status.to_string();
    let grpc_status = key.grpc_status.map(|status| status.to_string()).unwrap_or_default();
    let protocol = if key.grpc_status.is_some() { "grpc" } else { "http" };
    let mut out = connection_labels(source, to, protocol, Some(&status), key.flags);
    push_label(&mut out, "grpc_response_status", &grpc_status);
    out
}

/// The labels that requests and connections have in common; connections have no status.
pub(super) fn connection_labels(
    source: &Source,
    to: &Destination,
    protocol: &str,
    status: Option<&str>,
    flags: ResponseFlags,
) -> String {
    let flags = if flags.is_empty() { "-".to_owned() } else { flags.to_string() };
    let nobody = Source::default();
    let own = Source { namespace: to.service_namespace.clone(), ..Source::default() };
    // Who asks at the workload is not known without an identity.
    let (reporter, from, at) =
        if to.is_own { ("destination", &nobody, source) } else { ("source", source, &own) };
    let version = if to.is_own { &source.version } else { &to.version };
    let mut out = String::new();
    for (name, value) in [
        ("reporter", Some(reporter)),
        ("source_workload", Some(&*from.workload)),
        ("source_canonical_service", Some(&*from.app)),
        ("source_canonical_revision", Some(&*from.version)),
        ("source_workload_namespace", Some(&*from.namespace)),
        ("source_principal", Some("")),
        ("source_app", Some(&*from.app)),
        ("source_version", Some(&*from.version)),
        ("source_cluster", Some(&*from.cluster)),
        ("destination_workload", Some(&*at.workload)),
        ("destination_workload_namespace", Some(&*at.namespace)),
        ("destination_principal", Some("")),
        ("destination_app", Some(&*at.app)),
        ("destination_version", Some(&**version)),
        ("destination_service", Some(&*to.service)),
        ("destination_canonical_service", Some(&*at.app)),
        ("destination_canonical_revision", Some(&*at.version)),
        ("destination_service_name", Some(&*to.service_name)),
        ("destination_service_namespace", Some(&*to.service_namespace)),
        ("destination_cluster", Some(&*at.cluster)),
        ("request_protocol", Some(protocol)),
        ("response_code", status),
        ("response_flags", Some(&*flags)),
        // A client-side proxy does not know whether the server took mutual TLS for it; ours as a server has no identity
        // to take it with.
        ("connection_security_policy", Some(if to.is_own { "none" } else { "unknown" })),
    ] {
        let Some(value) = value else { continue };
        push_label(&mut out, name, if value.is_empty() { "unknown" } else { value });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Destination;

    #[test]
    fn cluster_names_tell_the_service() {
        let to = Destination::of_cluster("outbound|9080|v1|reviews.shop.svc.cluster.local");
        assert_eq!(
            (to.service_name.as_str(), to.service_namespace.as_str(), to.version.as_str()),
            ("reviews", "shop", "v1")
        );
        let external = Destination::of_cluster("outbound|443||api.example.com");
        assert_eq!(external.service_name, "api.example.com");
        assert_eq!(
            Destination::of_cluster("PassthroughCluster").service_name,
            "PassthroughCluster"
        );
    }
}
