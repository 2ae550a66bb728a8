//! TLS towards endpoints: what a rule asks for, or the mesh's own where both sides can.

use std::sync::Arc;

use pilotage_config::destination_rule::{
    ClientTlsMode, ClientTlsSettings, ProxyProtocol, ProxyProtocolVersion, SimpleLb, TrafficPolicy,
};
use pilotage_config::security::MutualTlsMode;
use pilotage_model::service::Resolution;
use pilotage_model::{ProxyView, ServiceView};
use pilotage_proto::envoy::config::cluster::v3::cluster::TransportSocketMatch;
use pilotage_proto::envoy::config::core::v3::proxy_protocol_config::Version;
use pilotage_proto::envoy::config::core::v3::{
    DataSource, ProxyProtocolConfig, TransportSocket, data_source,
};
use pilotage_proto::envoy::extensions::transport_sockets::proxy_protocol::v3::ProxyProtocolUpstreamTransport;
use pilotage_proto::envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer;
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::common_tls_context::{
    CombinedCertificateValidationContext, ValidationContextType,
};
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::tls_parameters::TlsProtocol;
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, CommonTlsContext, TlsParameters, UpstreamTlsContext,
};
use pilotage_proto::envoy::r#type::matcher::v3::StringMatcher;
use pilotage_proto::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use pilotage_proto::prost_types::value::Kind;
use pilotage_proto::prost_types::{Struct, Value};

use super::draft::Draft;
use super::names;
use crate::address::transport_socket;
use crate::secrets;

const TLS: &str = "envoy.transport_sockets.tls";
const RAW_BUFFER: &str = "envoy.transport_sockets.raw_buffer";
const PROXY_PROTOCOL: &str = "envoy.transport_sockets.upstream_proxy_protocol";

/// What decides about TLS towards one port of a service or subset.
pub(super) struct Towards<'a> {
    /// The client.
    pub(super) view: &'a ProxyView,
    /// The service.
    pub(super) service: &'a ServiceView,
    /// The port of the service.
    pub(super) port: u16,
    /// The name of the subset; empty for the service as a whole.
    pub(super) subset: &'a str,
    /// The policy of the subset, or else of the rule, as written: what it says of load balancing decides whether
    /// single endpoints count.
    pub(super) written: Option<&'a TrafficPolicy>,
    /// Whether the rule is for some clients only.
    pub(super) rule_selects: bool,
}

impl<'a> Towards<'a> {
    /// The same for a host that shows a certificate of its own.
    fn outsider(&self) -> Outsider<'a> {
        let kubernetes = self.service.service.is_kubernetes();
        Outsider {
            view: self.view,
            identities: if kubernetes { &[] } else { &self.service.endpoints.identities },
            rule_selects: self.rule_selects,
        }
    }
}

/// What decides about TLS towards a host that shows a certificate of its own.
pub(super) struct Outsider<'a> {
    /// The client.
    pub(super) view: &'a ProxyView,
    /// The names that count when the rule names none.
    pub(super) identities: &'a [Arc<str>],
    /// Whether the rule is for some clients only.
    pub(super) rule_selects: bool,
}

/// Applies TLS towards hosts of which nothing is known.
pub(super) fn apply_outside(
    draft: &mut Draft,
    tls: Option<&ClientTlsSettings>,
    outsider: &Outsider<'_>,
) {
    let Some(tls) = tls else { return };
    if matches!(tls.mode, ClientTlsMode::Simple | ClientTlsMode::Mutual) {
        let context = of_rule(draft, tls, outsider);
        draft.cluster.transport_socket = context.map(|context| transport_socket(TLS, &context));
    }
}

/// Applies TLS.
pub(super) fn apply(draft: &mut Draft, tls: Option<&ClientTlsSettings>, towards: &Towards<'_>) {
    match tls {
        Some(tls) => {
            let context = match tls.mode {
                ClientTlsMode::Disable => None,
                ClientTlsMode::IstioMutual => Some(of_mesh(draft, Some(tls), towards)),
                ClientTlsMode::Simple | ClientTlsMode::Mutual => {
                    of_rule(draft, tls, &towards.outsider())
                }
            };
            draft.cluster.transport_socket = context.map(|context| transport_socket(TLS, &context));
        }
        None if is_automatic(towards) => {
            let socket = transport_socket(TLS, &of_mesh(draft, None, towards));
            if draft.is_original_destination() {
                // Nothing is known about endpoints, by which to choose.
                draft.cluster.transport_socket = Some(socket);
            } else {
                draft.cluster.transport_socket_matches = by_endpoint(socket);
            }
        }
        None => {}
    }
}

/// Whether mTLS is used towards the endpoints that can, although no rule says so.
fn is_automatic(towards: &Towards<'_>) -> bool {
    let service = &towards.service.service;
    if service.mesh_external || !towards.view.mesh.auto_mtls() {
        return false;
    }
    let balancer = towards.written.and_then(|policy| policy.load_balancer.as_ref());
    let dialled = balancer.is_some_and(|b| b.simple == Some(SimpleLb::Passthrough));
    if dialled || service.resolution == Resolution::Passthrough {
        // All endpoints have to, as none can be told apart.
        let endpoints = crate::endpoints::of_port(towards.service, towards.port);
        let mut any = false;
        for endpoint in endpoints {
            any = true;
            if !endpoint.workload.mesh_tls {
                return false;
            }
        }
        if !any {
            return false;
        }
    }
    towards.service.accepts != MutualTlsMode::Disable
}

/// The mesh's own mTLS.
fn of_mesh(
    draft: &Draft,
    tls: Option<&ClientTlsSettings>,
    towards: &Towards<'_>,
) -> UpstreamTlsContext {
    let host = towards.service.service.host.as_str();
    let sni = tls.map(|tls| tls.sni.clone()).filter(|sni| !sni.is_empty());
    let sni = sni.unwrap_or_else(|| names::sni(towards.port, towards.subset, host));
    let written = tls.map(|tls| tls.subject_alt_names.as_slice()).filter(|names| !names.is_empty());
    let names: Vec<&str> = match written {
        Some(names) => names.iter().map(String::as_str).collect(),
        None => towards.service.endpoints.identities.iter().map(|name| &**name).collect(),
    };
    let mut alpn = vec!["istio-peer-exchange", "istio"];
    if draft.is_explicit_http2() {
        alpn.push("h2");
    }
    let combined = CombinedCertificateValidationContext {
        default_validation_context: Some(CertificateValidationContext {
            match_subject_alt_names: exactly(&names),
            ..CertificateValidationContext::default()
        }),
        validation_context_sds_secret_config: Some(secrets::workload("ROOTCA")),
    };
    UpstreamTlsContext {
        common_tls_context: Some(CommonTlsContext {
            tls_params: Some(versions()),
            tls_certificate_sds_secret_configs: vec![secrets::workload("default")],
            validation_context_type: Some(ValidationContextType::CombinedValidationContext(
                combined,
            )),
            alpn_protocols: alpn.into_iter().map(str::to_owned).collect(),
            ..CommonTlsContext::default()
        }),
        sni,
        ..UpstreamTlsContext::default()
    }
}

/// TLS with certificates that the rule names; nothing when it cannot be built.
fn of_rule(
    draft: &mut Draft,
    tls: &ClientTlsSettings,
    outsider: &Outsider<'_>,
) -> Option<UpstreamTlsContext> {
    // A secret is for those the rule selects. Anybody else sends plaintext, as on Istio.
    let is_secret = !tls.credential_name.is_empty()
        && !tls.credential_name.starts_with(secrets::CONFIG_MAP_SCHEME);
    if is_secret && outsider.view.proxy.is_sidecar() && !outsider.rule_selects {
        return None;
    }
    let mutual = tls.mode == ClientTlsMode::Mutual;
    let skip = tls.insecure_skip_verify == Some(true);
    let mut names: Vec<&str> = tls.subject_alt_names.iter().map(String::as_str).collect();
    automatic_names(draft, tls, names.is_empty(), skip);
    if names.is_empty() {
        names = outsider.identities.iter().map(|name| &**name).collect();
    }
    let mut common = CommonTlsContext { tls_params: Some(versions()), ..Default::default() };
    if let Some(defaults) = &outsider.view.mesh.config().tls_defaults
        && let Some(params) = &mut common.tls_params
    {
        params.ecdh_curves.clone_from(&defaults.ecdh_curves);
        params.cipher_suites.clone_from(&defaults.cipher_suites);
    }
    let root = if tls.credential_name.is_empty() {
        if mutual {
            if tls.client_certificate.is_empty() || tls.private_key.is_empty() {
                return None;
            }
            let pair = secrets::file_pair(&tls.client_certificate, &tls.private_key);
            common.tls_certificate_sds_secret_configs.push(pair);
        }
        secrets::file_root(&tls.ca_certificates)
    } else {
        if mutual {
            let pair = secrets::credential(&tls.credential_name);
            common.tls_certificate_sds_secret_configs.push(pair);
        }
        secrets::credential_root(&tls.credential_name)
    };
    common.validation_context_type = Some(if skip {
        ValidationContextType::ValidationContext(CertificateValidationContext::default())
    } else {
        let default = CertificateValidationContext {
            match_subject_alt_names: exactly(&names),
            crl: file(&tls.ca_crl),
            ..CertificateValidationContext::default()
        };
        ValidationContextType::CombinedValidationContext(CombinedCertificateValidationContext {
            default_validation_context: Some(default),
            validation_context_sds_secret_config: Some(root),
        })
    });
    if draft.is_explicit_http2() {
        common.alpn_protocols.push("h2".to_owned());
    }
    let common_tls_context = Some(common);
    Some(UpstreamTlsContext { common_tls_context, sni: tls.sni.clone(), ..Default::default() })
}

/// Without a server name the host of each request is asked for, and without names to check its certificate has to be
/// for that host.
fn automatic_names(draft: &mut Draft, tls: &ClientTlsSettings, no_names: bool, skip: bool) {
    if !tls.sni.is_empty() {
        return;
    }
    let options = draft.http().upstream_http_protocol_options.get_or_insert_default();
    options.auto_sni = true;
    options.auto_san_validation |= no_names && !skip;
}

/// mTLS towards endpoints that say they can, plaintext towards others.
fn by_endpoint(mtls: TransportSocket) -> Vec<TransportSocketMatch> {
    let mode = Value { kind: Some(Kind::StringValue("istio".to_owned())) };
    let able = Struct { fields: [("tlsMode".to_owned(), mode)].into() };
    vec![
        TransportSocketMatch {
            name: "tlsMode-istio".to_owned(),
            r#match: Some(able),
            transport_socket: Some(mtls),
        },
        TransportSocketMatch {
            name: "tlsMode-disabled".to_owned(),
            r#match: Some(Struct::default()),
            transport_socket: Some(plaintext()),
        },
    ]
}

/// Wraps all transport sockets so that connections begin with the client's address.
pub(super) fn prepend_address(draft: &mut Draft, written: Option<&ProxyProtocol>) {
    let Some(written) = written else { return };
    let version = match written.version {
        ProxyProtocolVersion::V1 => Version::V1,
        ProxyProtocolVersion::V2 => Version::V2,
    };
    let wrap = |inner: TransportSocket| {
        let config = ProxyProtocolConfig { version: version as i32 };
        let outer =
            ProxyProtocolUpstreamTransport { config: Some(config), transport_socket: Some(inner) };
        transport_socket(PROXY_PROTOCOL, &outer)
    };
    for socket in &mut draft.cluster.transport_socket_matches {
        socket.transport_socket = socket.transport_socket.take().map(wrap);
    }
    if draft.cluster.transport_socket_matches.is_empty() {
        let inner = draft.cluster.transport_socket.take().unwrap_or_else(plaintext);
        draft.cluster.transport_socket = Some(wrap(inner));
    }
}

fn plaintext() -> TransportSocket {
    transport_socket(RAW_BUFFER, &RawBuffer::default())
}

fn versions() -> TlsParameters {
    TlsParameters {
        tls_minimum_protocol_version: TlsProtocol::TlSv12 as i32,
        tls_maximum_protocol_version: TlsProtocol::TlSv13 as i32,
        ..TlsParameters::default()
    }
}

fn file(path: &str) -> Option<DataSource> {
    let specifier = data_source::Specifier::Filename(path.to_owned());
    (!path.is_empty()).then_some(DataSource { specifier: Some(specifier) })
}

fn exactly(names: &[&str]) -> Vec<StringMatcher> {
    let matcher = |name: &&str| StringMatcher {
        match_pattern: Some(MatchPattern::Exact((*name).to_owned())),
        ..StringMatcher::default()
    };
    names.iter().map(matcher).collect()
}
