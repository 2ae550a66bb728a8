//! Configurations for connections that clients open.

use std::sync::Arc;

use pilotage_engine::Tables;
use pilotage_engine::server_tls::ServerTls;
use pilotage_engine::tls::Certificate;
use rustls::ServerConfig;
use rustls::crypto::ring::Ticketer;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::facts::certificate;
use super::material::Material;
use super::parameters::{provider, versions};
use super::store::Made;
use super::verify::{Clients, Trust};

/// How TLS is ended on connections of one kind.
#[derive(Debug)]
pub(super) struct ServerContext {
    /// For clients that speak one of the protocols, or name none.
    pub(super) config: Arc<ServerConfig>,
    /// For clients that name other protocols only: none is agreed on, and they are served nonetheless.
    pub(super) without_protocols: Arc<ServerConfig>,
    /// The certificate shown.
    pub(super) shown: Arc<Certificate>,
}

impl ServerContext {
    pub(super) fn make(
        tls: &ServerTls,
        material: &mut Material,
        tables: &Tables,
    ) -> Result<Made<Self>, String> {
        let settings = &tls.settings;
        let provider = provider(&settings.parameters);
        let mut notes = Vec::new();
        let mut certificates = Vec::new();
        for source in &settings.certificates {
            let (certificate, note) = material.certificate(source, tables, &provider)?;
            certificates.push(certificate);
            notes.extend(note);
        }
        let shown = certificates.first().and_then(|shown| certificate(&shown.cert));
        let shown = Arc::new(shown.unwrap_or_default());
        let trust = material.trust(settings, tables)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions(&settings.parameters))
            .map_err(|error| error.to_string())?;
        let builder = if tls.requires_certificate || trust.is_some() {
            // Without conditions any certificate will do.
            let trust = trust.unwrap_or_else(|| Arc::new(Trust::anybody()));
            // A secret may bring conditions too.
            let required = tls.requires_certificate || trust.conditions.demands_certificate();
            let clients = Clients::new(trust, required, Arc::clone(&provider));
            builder.with_client_cert_verifier(Arc::new(clients))
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder.with_cert_resolver(Arc::new(Certificates(certificates)));
        if tls.resumes_sessions {
            config.ticketer = Ticketer::new().map_err(|error| error.to_string())?;
        } else {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        let without_protocols = Arc::new(config.clone());
        let protocols = settings.application_protocols.iter();
        config.alpn_protocols = protocols.map(|name| name.as_bytes().to_vec()).collect();
        let context = Self { config: Arc::new(config), without_protocols, shown };
        Ok(Made { context, notes })
    }

    /// The configuration for a client that says `hello`.
    pub(super) fn config_for(&self, hello: &ClientHello<'_>) -> Arc<ServerConfig> {
        let common = |offered: &[u8]| self.config.alpn_protocols.iter().any(|own| own == offered);
        let fits = hello.alpn().is_none_or(|mut offered| offered.any(common));
        Arc::clone(if fits { &self.config } else { &self.without_protocols })
    }
}

/// Shows the first certificate that a client can check: RSA or ECDSA.
#[derive(Debug)]
struct Certificates(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let can = |certificate: &&Arc<CertifiedKey>| {
            certificate.key.choose_scheme(hello.signature_schemes()).is_some()
        };
        self.0.iter().find(can).or_else(|| self.0.first()).cloned()
    }
}
