//! Where proxies get certificates and keys: names of secrets, and who serves them.

use std::sync::Arc;

use pilotage_model::ProxyView;
use pilotage_model::secrets::Pem;
use pilotage_proto::envoy::config::core::v3::api_config_source::ApiType;
use pilotage_proto::envoy::config::core::v3::config_source::ConfigSourceSpecifier;
use pilotage_proto::envoy::config::core::v3::data_source::Specifier;
use pilotage_proto::envoy::config::core::v3::grpc_service::{EnvoyGrpc, TargetSpecifier};
use pilotage_proto::envoy::config::core::v3::{
    AggregatedConfigSource, ApiConfigSource, ApiVersion, ConfigSource, DataSource, GrpcService,
};
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::secret::Type;
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, SdsSecretConfig, Secret, TlsCertificate,
};
use pilotage_proto::{Duration, ResourceSet};

/// The scheme of credential names that mean a ConfigMap.
pub(crate) const CONFIG_MAP_SCHEME: &str = "configmap://";
/// Ends the name of the authorities of a secret.
const AUTHORITIES: &str = "-cacert";
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
    from_control_plane(format!("{}{AUTHORITIES}", resource(name)))
}

/// Adds the secrets of the proxy's namespace under the names that contexts use: the certificate under the name of the
/// Secret, the authorities with `-cacert`. A Secret that is called so itself comes first; one that has nothing but
/// authorities stands under its own name too.
pub(crate) fn add(view: &ProxyView, set: &mut ResourceSet) {
    for (name, secret) in &view.secrets {
        let authorities = secret.authorities.as_ref().map(|(authorities, revoked)| {
            Type::ValidationContext(CertificateValidationContext {
                trusted_ca: Some(inline(authorities)),
                crl: revoked.as_ref().map(inline),
                ..CertificateValidationContext::default()
            })
        });
        let certificate = secret.certificate.as_ref().map(|(chain, key)| {
            Type::TlsCertificate(TlsCertificate {
                certificate_chain: Some(inline(chain)),
                private_key: Some(inline(key)),
                ..TlsCertificate::default()
            })
        });
        let own = resource(name);
        let of_authorities = format!("{own}{AUTHORITIES}");
        // A name that ends so is asked for its authorities only.
        let only_authorities = name.ends_with(AUTHORITIES) && authorities.is_some();
        if let Some(authorities) = &authorities
            && !only_authorities
            && !view.secrets.contains_key(format!("{name}{AUTHORITIES}").as_str())
        {
            insert(set, of_authorities, authorities.clone());
        }
        if let Some(value) = certificate.filter(|_| !only_authorities).or(authorities) {
            insert(set, own, value);
        }
    }
}

fn insert(set: &mut ResourceSet, name: String, value: Type) {
    set.secrets.insert(name.clone(), Arc::new(Secret { name, r#type: Some(value) }));
}

fn inline(pem: &Pem) -> DataSource {
    DataSource { specifier: Some(Specifier::InlineBytes(pem.0.clone())) }
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

#[cfg(test)]
mod tests {
    use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::secret::Type;

    use crate::testing;

    #[test]
    fn secrets_stand_under_the_names_that_contexts_use() {
        let secret = |name: &str, data: &str| {
            format!(
                "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: istio-system}}\n\
                 stringData: {{{data}}}\n---\n"
            )
        };
        let text = secret("web", "tls.crt: C, tls.key: K, ca.crt: A")
            + &secret("two", "cert: C, key: K, cacert: A")
            + &secret("two-cacert", "cacert: B")
            + &secret("none", "other: X");
        let set = crate::resources(&testing::given(&text, &testing::gateway()));
        let found: Vec<_> = set
            .secrets
            .iter()
            .map(|(name, secret)| {
                let certificate = matches!(secret.r#type, Some(Type::TlsCertificate(_)));
                (name.as_str(), certificate)
            })
            .collect();
        assert_eq!(
            found,
            [
                ("kubernetes://two", true),
                ("kubernetes://two-cacert", false),
                ("kubernetes://web", true),
                ("kubernetes://web-cacert", false),
            ]
        );
        let text = format!("{:?}", set.secrets["kubernetes://two-cacert"]);
        assert!(text.contains("66"), "the Secret of that name counts: {text}");
    }
}
