//! TLS towards clients: what a filter chain ends before it does anything else.

use pilotage_proto::Message;
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext;
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::downstream_tls_context::SessionTicketKeysType;

use xxhash_rust::xxh64::xxh64;

use crate::rejection::{FieldError, Warnings};
use crate::tls::TlsSettings;

/// TLS towards clients.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// Certificates, versions, and what clients' certificates have to satisfy.
    pub settings: TlsSettings,
    /// Clients without a certificate are turned away.
    pub requires_certificate: bool,
    /// Clients that ask for no server name are turned away.
    pub requires_server_name: bool,
    /// Clients may continue an earlier session without a handshake in full.
    pub resumes_sessions: bool,
    /// Equal for equal descriptions, so that what was made of one generation serves the next.
    pub fingerprint: u64,
}

impl ServerTls {
    pub(crate) fn compile(
        proto: &DownstreamTlsContext,
        warnings: &mut Warnings,
    ) -> Result<Self, FieldError> {
        let settings = warnings
            .within("common_tls_context", |w| {
                TlsSettings::compile(proto.common_tls_context.as_ref(), w)
            })
            .map_err(|e| e.within("common_tls_context"))?;
        if settings.certificates.is_empty() {
            let path = "common_tls_context.tls_certificates";
            return Err(FieldError::new(path, "a server needs a certificate"));
        }
        let mut resumes_sessions = true;
        match &proto.session_ticket_keys_type {
            Some(SessionTicketKeysType::SessionTicketKeys(_)) => warnings.note(
                "session_ticket_keys",
                "keys of tickets are made here and last as long as the process",
            ),
            Some(SessionTicketKeysType::DisableStatelessSessionResumption(disabled)) => {
                resumes_sessions = !disabled;
            }
            None => {}
        }
        if proto.session_timeout.is_some() {
            warnings.note("session_timeout", "sessions last as long as their tickets");
        }
        let demanded = settings.validation.as_ref().is_some_and(|v| v.own.demands_certificate());
        Ok(Self {
            settings,
            requires_certificate: demanded || proto.require_client_certificate.unwrap_or(false),
            requires_server_name: proto.require_sni.unwrap_or(false),
            resumes_sessions,
            fingerprint: xxh64(&proto.encode_to_vec(), 0),
        })
    }
}
