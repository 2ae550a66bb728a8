//! TLS as resources describe it: certificates by source, what the other side's certificate has to satisfy, versions and
//! ciphers. Plain descriptions; carrying them out, and reading files, is the proxy's.

mod certificate;
mod names;
mod parameters;
mod session;
mod validation;

use std::sync::Arc;

use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::CommonTlsContext;
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::common_tls_context::ValidationContextType;

pub use self::certificate::{CertificatePair, CertificateSource, Data};
pub use self::names::{NameKind, NameMatcher, dns_name_matches};
pub use self::parameters::{CipherSuite, Curve, Parameters, Version};
pub use self::session::{Certificate, CertificatePart, TlsOperator, TlsSession, TlsSide};
pub use self::validation::{Authorities, Validation, ValidationSource};
use crate::rejection::{FieldError, Warnings};

/// The secrets that hold a workload's certificate and the authorities of the mesh.
const MESH_SECRETS: [&str; 2] = ["default", "ROOTCA"];

/// What both directions of TLS have in common.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// Versions, ciphers and curves.
    pub parameters: Parameters,
    /// Certificates to show, in order of preference.
    pub certificates: Vec<CertificateSource>,
    /// What the other side's certificate has to satisfy; `None`: it is not looked at.
    pub validation: Option<ValidationSource>,
    /// Application protocols to offer or accept, in order of preference.
    pub application_protocols: Vec<Box<str>>,
}

impl TlsSettings {
    pub(crate) fn compile(
        proto: Option<&CommonTlsContext>,
        warnings: &mut Warnings,
    ) -> Result<Self, FieldError> {
        let default = CommonTlsContext::default();
        let proto = proto.unwrap_or(&default);
        if proto.key_log.is_some() {
            warnings.note("key_log", "keys of connections are never written down");
        }
        let mut certificates = Vec::new();
        for (index, pair) in proto.tls_certificates.iter().enumerate() {
            let field = format!("tls_certificates[{index}]");
            let pair = warnings.within(&field, |w| CertificatePair::compile(pair, w));
            certificates
                .push(CertificateSource::Inline(Arc::new(pair.map_err(|e| e.within(&field))?)));
        }
        for secret in &proto.tls_certificate_sds_secret_configs {
            certificates.push(CertificateSource::Secret(secret.name.as_str().into()));
        }
        let mut this = Self {
            parameters: Parameters::default(),
            certificates,
            validation: validation(proto.validation_context_type.as_ref(), warnings)?,
            application_protocols: proto
                .alpn_protocols
                .iter()
                .map(|name| name.as_str().into())
                .collect(),
        };
        let mut noted = Warnings::default();
        // Nobody chose what proxies of the mesh settle on among themselves.
        let warnings = if this.is_of_mesh() { &mut noted } else { warnings };
        this.parameters = warnings
            .within("tls_params", |w| Parameters::compile(proto.tls_params.as_ref(), w))
            .map_err(|e| e.within("tls_params"))?;
        Ok(this)
    }

    /// Whether it shows, or asks for, identities of the mesh.
    pub fn is_of_mesh(&self) -> bool {
        self.secrets().any(|name| MESH_SECRETS.contains(&&**name))
    }

    /// The names of all secrets that it takes.
    pub fn secrets(&self) -> impl Iterator<Item = &Arc<str>> {
        let certificates = self.certificates.iter().filter_map(|source| match source {
            CertificateSource::Secret(name) => Some(name),
            CertificateSource::Inline(_) => None,
        });
        certificates.chain(self.validation.as_ref().and_then(|source| source.secret.as_ref()))
    }
}

fn validation(
    proto: Option<&ValidationContextType>,
    warnings: &mut Warnings,
) -> Result<Option<ValidationSource>, FieldError> {
    let own = |proto, field: &str, complete, warnings: &mut Warnings| {
        let compiled = warnings.within(field, |w| Validation::compile(proto, w));
        let compiled = compiled.and_then(|validation| {
            if complete {
                validation.check()?;
            }
            Ok(validation)
        });
        compiled.map_err(|e| e.within(field))
    };
    Ok(match proto {
        None => None,
        Some(ValidationContextType::ValidationContext(proto)) => Some(ValidationSource {
            own: own(proto, "validation_context", true, warnings)?,
            secret: None,
        }),
        Some(ValidationContextType::ValidationContextSdsSecretConfig(secret)) => {
            Some(ValidationSource {
                own: Validation::default(),
                secret: Some(secret.name.as_str().into()),
            })
        }
        Some(ValidationContextType::CombinedValidationContext(combined)) => {
            let field = "combined_validation_context.default_validation_context";
            let default = combined.default_validation_context.clone().unwrap_or_default();
            let secret = combined.validation_context_sds_secret_config.as_ref();
            Some(ValidationSource {
                own: own(&default, field, secret.is_none(), warnings)?,
                secret: secret.map(|secret| secret.name.as_str().into()),
            })
        }
    })
}
