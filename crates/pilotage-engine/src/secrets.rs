//! Secrets: certificates and keys that other resources name (SDS).

use std::sync::Arc;

use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::Secret as Proto;
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::secret::Type;

use crate::rejection::{FieldError, Warnings};
use crate::tls::{CertificatePair, Validation};

/// A secret.
#[derive(Clone, Debug)]
pub enum Secret {
    /// A certificate to show, and its key.
    Certificate(Arc<CertificatePair>),
    /// What others' certificates have to satisfy.
    Validation(Arc<Validation>),
}

impl Secret {
    pub(crate) fn compile(proto: &Proto, warnings: &mut Warnings) -> Result<Self, FieldError> {
        match &proto.r#type {
            Some(Type::TlsCertificate(pair)) => warnings
                .within("tls_certificate", |w| CertificatePair::compile(pair, w))
                .map(|pair| Self::Certificate(Arc::new(pair)))
                .map_err(|e| e.within("tls_certificate")),
            Some(Type::ValidationContext(context)) => warnings
                .within("validation_context", |w| Validation::compile(context, w))
                .map(|validation| Self::Validation(Arc::new(validation)))
                .map_err(|e| e.within("validation_context")),
            Some(Type::SessionTicketKeys(_)) => {
                Err(FieldError::new("session_ticket_keys", "are not supported"))
            }
            Some(Type::GenericSecret(_)) => {
                Err(FieldError::new("generic_secret", "nothing here uses one"))
            }
            None => Err(FieldError::new("type", "is not set")),
        }
    }
}
