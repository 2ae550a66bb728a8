//! Configurations for connections to upstreams.

use std::sync::Arc;

use pilotage_engine::Tables;
use pilotage_engine::upstream_tls::UpstreamTls;
use rustls::ClientConfig;
use rustls::client::ResolvesClientCert;
use rustls::sign::{CertifiedKey, SigningKey};

use super::material::Material;
use super::parameters::{provider, versions};
use super::store::Made;
use super::verify::Upstreams;

/// What connections with the same settings may differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    /// Whether HTTP/2 will be spoken; offered where the settings offer nothing themselves. `None`: bytes.
    pub(super) http2: Option<bool>,
    /// Whether the certificate has to be for the server name.
    pub(super) checks_host: bool,
}

pub(super) fn make(
    tls: &UpstreamTls,
    kind: Kind,
    material: &mut Material,
    tables: &Tables,
) -> Result<Made<ClientConfig>, String> {
    let settings = &tls.settings;
    let provider = provider(&settings.parameters);
    let mut notes = Vec::new();
    let certificate = match settings.certificates.first() {
        None => None,
        Some(source) => {
            let (certificate, note) = material.certificate(source, tables, &provider)?;
            notes.extend(note);
            Some(certificate)
        }
    };
    let verifier = Upstreams {
        trust: material.trust(settings, tables)?,
        checks_host: kind.checks_host,
        provider: Arc::clone(&provider),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(&settings.parameters))
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match certificate {
        Some(certificate) => builder.with_client_cert_resolver(Arc::new(Own(certificate))),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = match kind.http2 {
        _ if !settings.application_protocols.is_empty() => {
            settings.application_protocols.iter().map(|name| name.as_bytes().to_vec()).collect()
        }
        Some(true) => vec![b"h2".to_vec()],
        Some(false) => vec![b"http/1.1".to_vec()],
        None => Vec::new(),
    };
    Ok(Made { context: config, notes })
}

/// Shows one certificate to whoever asks.
#[derive(Debug)]
struct Own(Arc<CertifiedKey>);

impl ResolvesClientCert for Own {
    fn resolve(
        &self,
        _authorities: &[&[u8]],
        schemes: &[rustls::SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        let key: &dyn SigningKey = self.0.key.as_ref();
        key.choose_scheme(schemes).map(|_| Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
