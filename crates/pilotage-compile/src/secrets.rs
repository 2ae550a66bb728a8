//! Where proxies get certificates and keys: names of secrets, and who serves them.

use pilotage_proto::Duration;
use pilotage_proto::envoy::config::core::v3::api_config_source::ApiType;
use pilotage_proto::envoy::config::core::v3::config_source::ConfigSourceSpecifier;
use pilotage_proto::envoy::config::core::v3::grpc_service::{EnvoyGrpc, TargetSpecifier};
use pilotage_proto::envoy::config::core::v3::{
    AggregatedConfigSource, ApiConfigSource, ApiVersion, ConfigSource, GrpcService,
};
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::SdsSecretConfig;

/// The scheme of credential names that mean a ConfigMap.
pub(crate) const CONFIG_MAP_SCHEME: &str = "configmap://";
/// The cluster of the proxy's own agent, which has the workload's identity and reads files.
const AGENT: &str = "sds-grpc";

/// A secret of the workload's identity: `default` or `ROOTCA`. The proxy waits for it.
pub(crate) fn workload(name: &str) -> SdsSecretConfig {
    let mut secret = from_agent(name.to_owned());
    if let Some(source) = &mut secret.sds_config {
        source.initial_fetch_timeout = Some(Duration::default());
    }
    secret
}

/// A certificate and its key in files.
pub(crate) fn file_pair(certificate: &str, key: &str) -> SdsSecretConfig {
    from_agent(format!("file-cert:{certificate}~{key}"))
}

/// The authorities in a file; without one those of the operating system.
pub(crate) fn file_root(path: &str) -> SdsSecretConfig {
    from_agent(format!("file-root:{}", if path.is_empty() { "system" } else { path }))
}

/// A certificate and its key in a Kubernetes secret.
pub(crate) fn credential(name: &str) -> SdsSecretConfig {
    from_control_plane(resource(name))
}

/// The authorities in a Kubernetes secret or ConfigMap.
pub(crate) fn credential_root(name: &str) -> SdsSecretConfig {
    from_control_plane(format!("{}-cacert", resource(name)))
}

fn resource(name: &str) -> String {
    if name.contains("://") { name.to_owned() } else { format!("kubernetes://{name}") }
}

fn from_agent(name: String) -> SdsSecretConfig {
    let target = TargetSpecifier::EnvoyGrpc(EnvoyGrpc {
        cluster_name: AGENT.to_owned(),
        ..EnvoyGrpc::default()
    });
    let service = GrpcService { target_specifier: Some(target), ..GrpcService::default() };
    let source = ApiConfigSource {
        api_type: ApiType::Grpc as i32,
        transport_api_version: ApiVersion::V3 as i32,
        grpc_services: vec![service],
        set_node_on_first_message_only: true,
    };
    secret(name, ConfigSourceSpecifier::ApiConfigSource(source))
}

fn from_control_plane(name: String) -> SdsSecretConfig {
    secret(name, ConfigSourceSpecifier::Ads(AggregatedConfigSource::default()))
}

fn secret(name: String, specifier: ConfigSourceSpecifier) -> SdsSecretConfig {
    let source = ConfigSource {
        config_source_specifier: Some(specifier),
        resource_api_version: ApiVersion::V3 as i32,
        ..ConfigSource::default()
    };
    SdsSecretConfig { name, sds_config: Some(source) }
}
