//! TLS towards clients: certificates, who may connect, versions and ciphers.

use std::collections::BTreeSet;

use pilotage_config::gateway::{ServerTlsMode, ServerTlsSettings, TlsProtocol};
use pilotage_config::mesh::{MeshTlsProtocol, TlsConfig};
use pilotage_model::Mesh;
use pilotage_proto::envoy::config::core::v3::DataSource;
use pilotage_proto::envoy::config::core::v3::data_source::Specifier;
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::certificate_validation_context::TrustChainVerification;
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::common_tls_context::{
    CombinedCertificateValidationContext, ValidationContextType,
};
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::tls_parameters::TlsProtocol as Version;
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, CommonTlsContext, DownstreamTlsContext, SdsSecretConfig,
    TlsParameters,
};
use pilotage_proto::envoy::r#type::matcher::v3::StringMatcher;
use pilotage_proto::envoy::r#type::matcher::v3::string_matcher::MatchPattern;

use crate::secrets;

/// The secret with the proxy's own certificate.
const OWN_CERTIFICATE: &str = "default";
/// The secret with the authorities of the mesh.
const MESH_AUTHORITIES: &str = "ROOTCA";
/// What HTTP speaks after the handshake.
const HTTP_ALPN: [&str; 2] = ["h2", "http/1.1"];
/// The same, and the exchange of identities between proxies of the mesh.
const MESH_TCP_ALPN: [&str; 3] = ["istio-peer-exchange", "h2", "http/1.1"];
/// Ciphers inside the mesh, for TLS 1.2.
const MESH_CIPHERS: [&str; 6] = [
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-GCM-SHA256",
];
/// Ciphers that may be asked for; others are left out.
const KNOWN_CIPHERS: [&str; 17] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]",
    "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
    "AES256-SHA",
    "DES-CBC3-SHA",
];

/// What is spoken inside of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inside {
    /// HTTP.
    Http,
    /// Anything.
    Tcp,
}

/// TLS between workloads of the mesh: both sides show certificates of one of the mesh's trust domains.
pub(crate) fn mesh_tls(mesh: &Mesh, inside: Inside) -> DownstreamTlsContext {
    let config = mesh.config();
    let wanted = config.mesh_mtls.as_ref();
    let ciphers = wanted.map(|tls| known_ciphers(&tls.cipher_suites)).unwrap_or_default();
    let minimum = wanted.map(|tls| tls.min_protocol_version).unwrap_or_default();
    let domains = std::iter::once(&config.trust_domain).chain(&config.trust_domain_aliases);
    let domains = domains.map(|domain| StringMatcher {
        match_pattern: Some(MatchPattern::Prefix(format!("spiffe://{domain}/"))),
        ..StringMatcher::default()
    });
    let common = CommonTlsContext {
        tls_params: Some(TlsParameters {
            tls_minimum_protocol_version: match minimum {
                MeshTlsProtocol::TlsV13 => Version::TlSv13.into(),
                MeshTlsProtocol::TlsAuto | MeshTlsProtocol::TlsV12 => Version::TlSv12.into(),
            },
            tls_maximum_protocol_version: Version::TlSv13.into(),
            cipher_suites: if ciphers.is_empty() { owned(&MESH_CIPHERS) } else { ciphers },
            ecdh_curves: wanted.map(|tls| tls.ecdh_curves.clone()).unwrap_or_default(),
            ..TlsParameters::default()
        }),
        tls_certificate_sds_secret_configs: vec![secrets::workload(OWN_CERTIFICATE)],
        validation_context_type: Some(combined(
            secrets::workload(MESH_AUTHORITIES),
            CertificateValidationContext {
                match_subject_alt_names: domains.collect(),
                ..Default::default()
            },
        )),
        alpn_protocols: alpn(inside),
        ..CommonTlsContext::default()
    };
    context(common, true)
}

/// TLS as a server of a gateway has it.
pub(crate) fn server_tls(
    settings: &ServerTlsSettings,
    mesh: &Mesh,
    inside: Inside,
) -> DownstreamTlsContext {
    let is_mesh = settings.mode == ServerTlsMode::IstioMutual;
    let mut common = CommonTlsContext {
        alpn_protocols: alpn(if is_mesh { inside } else { Inside::Http }),
        ..CommonTlsContext::default()
    };
    if is_mesh {
        common.tls_certificate_sds_secret_configs = vec![secrets::workload(OWN_CERTIFICATE)];
        let names = subject_alt_names(settings);
        common.validation_context_type = Some(combined(secrets::workload(MESH_AUTHORITIES), names));
    } else if credentials(settings).next().is_some() {
        add_credentials(settings, &mut common);
    } else {
        add_files(settings, &mut common);
    }
    // The mesh's defaults are for all TLS but its own.
    if !is_mesh {
        let defaults = mesh.config().tls_defaults.as_ref().map(default_parameters);
        let parameters = server_parameters(settings, defaults.unwrap_or_default());
        common.tls_params = Some(parameters).filter(|p| *p != TlsParameters::default());
    }
    let required = matches!(settings.mode, ServerTlsMode::Mutual | ServerTlsMode::IstioMutual);
    context(common, required)
}

fn context(common: CommonTlsContext, require_client_certificate: bool) -> DownstreamTlsContext {
    DownstreamTlsContext {
        common_tls_context: Some(common),
        require_client_certificate: Some(require_client_certificate),
        ..DownstreamTlsContext::default()
    }
}

fn alpn(inside: Inside) -> Vec<String> {
    match inside {
        Inside::Http => owned(&HTTP_ALPN),
        Inside::Tcp => owned(&MESH_TCP_ALPN),
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// The names of Secrets with certificates: the list, or the one.
fn credentials(settings: &ServerTlsSettings) -> impl Iterator<Item = &str> {
    let one = Some(settings.credential_name.as_str()).filter(|name| !name.is_empty());
    let one = one.filter(|_| settings.credential_names.is_empty());
    settings.credential_names.iter().map(String::as_str).chain(one)
}

fn add_credentials(settings: &ServerTlsSettings, common: &mut CommonTlsContext) {
    let certificates = credentials(settings).map(secrets::credential);
    common.tls_certificate_sds_secret_configs = certificates.collect();
    if asks_for_certificates(settings) {
        let authorities = match settings.ca_cert_credential_name.as_str() {
            "" => secrets::credential_root(credentials(settings).next().unwrap_or_default()),
            name => secrets::credential(name),
        };
        common.validation_context_type = Some(combined(authorities, client_checks(settings)));
    } else if !settings.subject_alt_names.is_empty() {
        let names = subject_alt_names(settings);
        common.validation_context_type = Some(ValidationContextType::ValidationContext(names));
    }
}

fn add_files(settings: &ServerTlsSettings, common: &mut CommonTlsContext) {
    common.tls_certificate_sds_secret_configs = if settings.tls_certificates.is_empty() {
        vec![secrets::file_pair(&settings.server_certificate, &settings.private_key)]
    } else {
        let pairs = settings.tls_certificates.iter();
        pairs.map(|pair| secrets::file_pair(&pair.server_certificate, &pair.private_key)).collect()
    };
    if asks_for_certificates(settings) {
        let authorities = secrets::file_root(&settings.ca_certificates);
        common.validation_context_type = Some(combined(authorities, client_checks(settings)));
    }
}

/// Whether clients are asked for a certificate, needed or not.
fn asks_for_certificates(settings: &ServerTlsSettings) -> bool {
    matches!(settings.mode, ServerTlsMode::Mutual | ServerTlsMode::OptionalMutual)
}

/// What a client's certificate has to satisfy besides its authority.
fn client_checks(settings: &ServerTlsSettings) -> CertificateValidationContext {
    let mut checks = CertificateValidationContext {
        verify_certificate_spki: settings.verify_certificate_spki.clone(),
        verify_certificate_hash: settings.verify_certificate_hash.clone(),
        ..subject_alt_names(settings)
    };
    if !settings.ca_crl.is_empty() && credentials(settings).next().is_none() {
        let file = Specifier::Filename(settings.ca_crl.clone());
        checks.crl = Some(DataSource { specifier: Some(file) });
    }
    if settings.insecure_skip_verify == Some(true) {
        checks.trust_chain_verification = TrustChainVerification::AcceptUntrusted.into();
    }
    checks
}

fn subject_alt_names(settings: &ServerTlsSettings) -> CertificateValidationContext {
    let exact = |name: &String| StringMatcher {
        match_pattern: Some(MatchPattern::Exact(name.clone())),
        ..StringMatcher::default()
    };
    CertificateValidationContext {
        match_subject_alt_names: settings.subject_alt_names.iter().map(exact).collect(),
        ..CertificateValidationContext::default()
    }
}

fn combined(
    authorities: SdsSecretConfig,
    checks: CertificateValidationContext,
) -> ValidationContextType {
    ValidationContextType::CombinedValidationContext(CombinedCertificateValidationContext {
        default_validation_context: Some(checks),
        validation_context_sds_secret_config: Some(authorities),
    })
}

fn default_parameters(defaults: &TlsConfig) -> TlsParameters {
    TlsParameters {
        tls_minimum_protocol_version: match defaults.min_protocol_version {
            MeshTlsProtocol::TlsAuto => Version::TlsAuto.into(),
            MeshTlsProtocol::TlsV12 => Version::TlSv12.into(),
            MeshTlsProtocol::TlsV13 => Version::TlSv13.into(),
        },
        cipher_suites: known_ciphers(&defaults.cipher_suites),
        ecdh_curves: defaults.ecdh_curves.clone(),
        ..TlsParameters::default()
    }
}

/// What a server says, laid over the mesh's defaults.
fn server_parameters(settings: &ServerTlsSettings, mut over: TlsParameters) -> TlsParameters {
    if settings.min_protocol_version != TlsProtocol::TlsAuto {
        over.tls_minimum_protocol_version = version(settings.min_protocol_version).into();
    }
    if settings.max_protocol_version != TlsProtocol::TlsAuto {
        over.tls_maximum_protocol_version = version(settings.max_protocol_version).into();
    }
    let ciphers = known_ciphers(&settings.cipher_suites);
    if !ciphers.is_empty() {
        over.cipher_suites = ciphers;
    }
    if !settings.ecdh_curves.is_empty() {
        over.ecdh_curves.clone_from(&settings.ecdh_curves);
    }
    over
}

fn version(written: TlsProtocol) -> Version {
    match written {
        TlsProtocol::TlsAuto => Version::TlsAuto,
        TlsProtocol::TlsV10 => Version::TlSv10,
        TlsProtocol::TlsV11 => Version::TlSv11,
        TlsProtocol::TlsV12 => Version::TlSv12,
        TlsProtocol::TlsV13 => Version::TlSv13,
    }
}

/// The ciphers that there are, each once, in their order.
fn known_ciphers(written: &[String]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let known = |cipher: &&String| KNOWN_CIPHERS.contains(&cipher.as_str());
    written.iter().filter(known).filter(|cipher| seen.insert(cipher.as_str())).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(mode: ServerTlsMode) -> ServerTlsSettings {
        ServerTlsSettings { mode, credential_name: "web".into(), ..Default::default() }
    }

    fn mesh() -> Mesh {
        Mesh::new(Default::default())
    }

    fn common(tls: &DownstreamTlsContext) -> &CommonTlsContext {
        tls.common_tls_context.as_ref().unwrap()
    }

    #[test]
    fn a_simple_server_asks_for_no_certificate_and_leaves_versions_to_the_proxy() {
        let tls = server_tls(&settings(ServerTlsMode::Simple), &mesh(), Inside::Http);
        assert_eq!(tls.require_client_certificate, Some(false));
        let common = common(&tls);
        assert_eq!(common.tls_certificate_sds_secret_configs[0].name, "kubernetes://web");
        assert_eq!((&common.validation_context_type, &common.tls_params), (&None, &None));
        assert_eq!(common.alpn_protocols, ["h2", "http/1.1"]);
    }

    #[test]
    fn an_optional_client_certificate_is_checked_and_not_required() {
        let tls = server_tls(&settings(ServerTlsMode::OptionalMutual), &mesh(), Inside::Http);
        assert_eq!(tls.require_client_certificate, Some(false));
        let Some(ValidationContextType::CombinedValidationContext(combined)) =
            &common(&tls).validation_context_type
        else {
            panic!("{tls:?}")
        };
        let authorities = combined.validation_context_sds_secret_config.as_ref().unwrap();
        assert_eq!(authorities.name, "kubernetes://web-cacert");
    }

    #[test]
    fn unknown_and_repeated_ciphers_are_left_out() {
        let written = ["AES128-SHA", "NOT-A-SUITE", "AES256-SHA", "AES128-SHA"];
        let written: Vec<String> = written.map(str::to_owned).into();
        assert_eq!(known_ciphers(&written), ["AES128-SHA", "AES256-SHA"]);
    }

    #[test]
    fn inside_the_mesh_any_workload_of_its_trust_domains_may_connect() {
        let mesh = Mesh::new(pilotage_config::mesh::MeshConfig {
            trust_domain_aliases: vec!["old.local".into()],
            ..Default::default()
        });
        let tls = mesh_tls(&mesh, Inside::Tcp);
        assert_eq!(tls.require_client_certificate, Some(true));
        let text = format!("{:?}", common(&tls).validation_context_type);
        assert!(text.contains("spiffe://cluster.local/") && text.contains("spiffe://old.local/"));
        assert_eq!(common(&tls).alpn_protocols[0], "istio-peer-exchange");
    }
}
