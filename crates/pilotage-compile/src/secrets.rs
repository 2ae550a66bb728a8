//! Where proxies get certificates and keys: names of secrets, and who serves them.

use std::sync::Arc;

use pilotage_config::kubernetes::Authorities;
use pilotage_model::ProxyView;
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

/// Adds what credential names mean to the proxy.
pub(crate) fn add(view: &ProxyView, set: &mut ResourceSet) {
    add_secrets(view, set);
    add_qualified(view, set);
    add_config_maps(view, set);
}

/// The secrets of the proxy's namespace under the names that contexts use: the certificate under the name of the
/// Secret, the authorities with `-cacert`. A Secret that is called so itself comes first; one that has nothing but
/// authorities stands under its own name too.
fn add_secrets(view: &ProxyView, set: &mut ResourceSet) {
    for (name, secret) in &view.secrets {
        let authorities = secret.authorities.as_ref().map(|(authorities, revoked)| {
            validation(&authorities.0, revoked.as_ref().map(|revoked| revoked.0.as_slice()))
        });
        let certificate = secret.certificate.as_ref().map(|(chain, key)| {
            Type::TlsCertificate(TlsCertificate {
                certificate_chain: Some(inline(&chain.0)),
                private_key: Some(inline(&key.0)),
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

/// The secrets that are named with their namespace. Those of another one than the proxy's are not for it.
fn add_qualified(view: &ProxyView, set: &mut ResourceSet) {
    for written in credential_names(view).filter(|name| !name.contains("://")) {
        let Some((namespace, name)) = written.split_once('/') else { continue };
        if namespace != &*view.proxy.namespace {
            continue;
        }
        for end in ["", AUTHORITIES] {
            let known = set.secrets.get(&format!("{}{end}", resource(name)));
            if let Some(value) = known.and_then(|secret| secret.r#type.clone()) {
                insert(set, format!("{}{end}", resource(written)), value);
            }
        }
    }
}

/// The ConfigMaps that gateways and rules name, with and without `-cacert`: contexts ask for authorities in both ways.
fn add_config_maps(view: &ProxyView, set: &mut ResourceSet) {
    if view.config_maps.is_empty() {
        return;
    }
    for name in credential_names(view) {
        let map = name.strip_prefix(CONFIG_MAP_SCHEME).and_then(|map| view.config_maps.get(map));
        if let Some(Authorities { certificates, revoked }) = map {
            let revoked = revoked.as_ref().map(String::as_bytes);
            let authorities = validation(certificates.as_bytes(), revoked);
            insert(set, format!("{name}{AUTHORITIES}"), authorities.clone());
            insert(set, name.to_owned(), authorities);
        }
    }
}

/// All names of credentials in what the proxy sees.
fn credential_names(view: &ProxyView) -> impl Iterator<Item = &str> {
    let servers = view.gateways.iter().flat_map(|gateway| &gateway.spec.servers);
    let of_servers = servers.filter_map(|server| server.tls.as_ref()).flat_map(|tls| {
        let list = tls.credential_names.iter().map(String::as_str);
        list.chain([tls.credential_name.as_str(), tls.ca_cert_credential_name.as_str()])
    });
    let rules = view.clusters.iter().filter_map(|service| service.rule.as_ref());
    let policies = rules.flat_map(|rule| {
        let of_subsets = rule.subsets.iter().filter_map(|(s, _)| s.traffic_policy.as_ref());
        rule.traffic_policy.as_deref().into_iter().chain(of_subsets)
    });
    let of_rules = policies.flat_map(|policy| {
        let of_ports = policy.port_level_settings.iter().filter_map(|port| port.tls.as_ref());
        policy.tls.as_ref().into_iter().chain(of_ports).map(|tls| tls.credential_name.as_str())
    });
    of_servers.chain(of_rules)
}

fn validation(authorities: &[u8], revoked: Option<&[u8]>) -> Type {
    Type::ValidationContext(CertificateValidationContext {
        trusted_ca: Some(inline(authorities)),
        crl: revoked.map(inline),
        ..CertificateValidationContext::default()
    })
}

fn insert(set: &mut ResourceSet, name: String, value: Type) {
    set.secrets.insert(name.clone(), Arc::new(Secret { name, r#type: Some(value) }));
}

fn inline(pem: &[u8]) -> DataSource {
    DataSource { specifier: Some(Specifier::InlineBytes(pem.to_vec())) }
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

    #[test]
    fn config_maps_that_are_named_stand_under_both_names() {
        let map = |name: &str| {
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\n\
                 data: {{ca.crt: A}}\n---\n"
            )
        };
        let gateway = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec:\n  \
            selector: {istio: ingressgateway}\n  servers:\n  \
            - port: {number: 443, name: https, protocol: HTTPS}\n    hosts: ['*']\n    \
            tls: {mode: MUTUAL, credentialName: c, caCertCredentialName: 'configmap://shop/one'}\n";
        let text = map("one") + &map("unused") + gateway;
        let set = crate::resources(&testing::given(&text, &testing::gateway()));
        let names: Vec<&str> = set.secrets.keys().map(String::as_str).collect();
        assert_eq!(names, ["configmap://shop/one", "configmap://shop/one-cacert"]);
    }
}
