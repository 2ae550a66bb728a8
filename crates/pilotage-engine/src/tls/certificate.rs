//! Certificates and keys, by where they are.

use std::fmt;
use std::sync::Arc;

use pilotage_proto::envoy::config::core::v3::DataSource;
use pilotage_proto::envoy::config::core::v3::data_source::Specifier;
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::TlsCertificate;

use crate::rejection::{FieldError, Warnings};

/// Where bytes are.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Data {
    /// Here.
    Inline(Arc<[u8]>),
    /// In a file of the machine that the proxy runs on.
    File(Arc<str>),
}

impl Data {
    /// Compiles `proto`; nothing where it is not set.
    pub(crate) fn compile(
        field: &str,
        proto: Option<&DataSource>,
    ) -> Result<Option<Self>, FieldError> {
        let Some(proto) = proto else { return Ok(None) };
        Ok(Some(match &proto.specifier {
            Some(Specifier::Filename(path)) => Self::File(path.as_str().into()),
            Some(Specifier::InlineBytes(bytes)) => Self::Inline(bytes.as_slice().into()),
            Some(Specifier::InlineString(text)) => Self::Inline(text.as_bytes().into()),
            Some(Specifier::EnvironmentVariable(_)) => {
                let message = "environment variables do not change what a proxy does";
                return Err(FieldError::new(field, message));
            }
            None => return Err(FieldError::new(field, "says nowhere to read from")),
        }))
    }
}

/// Never shows the bytes: they may be a key.
impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(bytes) => write!(f, "<{} bytes>", bytes.len()),
            Self::File(path) => write!(f, "{path:?}"),
        }
    }
}

/// A certificate chain and its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertificatePair {
    /// Certificates as PEM: first the own one, then those that lead to an authority.
    pub chain: Data,
    /// The key as PEM.
    pub key: Data,
}

impl CertificatePair {
    pub(crate) fn compile(
        proto: &TlsCertificate,
        warnings: &mut Warnings,
    ) -> Result<Self, FieldError> {
        if proto.pkcs12.is_some() {
            return Err(FieldError::new("pkcs12", "is not supported: use PEM"));
        }
        if proto.password.is_some() {
            return Err(FieldError::new("password", "encrypted keys are not supported"));
        }
        if proto.ocsp_staple.is_some() {
            warnings.note("ocsp_staple", "no OCSP response is sent");
        }
        let required = |field: &str, proto: Option<&DataSource>| {
            Data::compile(field, proto)?.ok_or_else(|| FieldError::new(field, "is required"))
        };
        Ok(Self {
            chain: required("certificate_chain", proto.certificate_chain.as_ref())?,
            key: required("private_key", proto.private_key.as_ref())?,
        })
    }
}

/// Where a certificate to show comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CertificateSource {
    /// From here.
    Inline(Arc<CertificatePair>),
    /// From the secret of this name.
    Secret(Arc<str>),
}
