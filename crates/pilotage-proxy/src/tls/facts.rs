//! What a handshake has shown.

use std::sync::Arc;

use data_encoding::{BASE64, HEXLOWER};
use pilotage_engine::request::PeerCertificate;
use pilotage_engine::tls::NameKind;
use rustls::CommonState;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::parameters::{cipher_name, version_name};
use super::subject::{alternative_names, rfc2253};

/// Length of a line of PEM.
const PEM_LINE: usize = 64;

/// What the TLS handshake of a connection has shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct TlsFacts {
    /// The server name that the client asked for.
    pub(crate) server_name: Option<Box<str>>,
    /// The application protocol that both sides agreed on.
    pub(crate) application_protocol: Option<Box<str>>,
    /// `TLSv1.3`.
    pub(crate) version: &'static str,
    /// The cipher by OpenSSL's name.
    pub(crate) cipher: &'static str,
    /// The other side's certificate, when it showed one.
    pub(crate) peer: Option<Box<PeerFacts>>,
    /// URI names of the certificate that this side showed.
    pub(crate) local_uris: Arc<[String]>,
}

/// What the other side's certificate says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PeerFacts {
    /// SHA-256 of the certificate, in lower-case hexadecimal.
    pub(crate) sha256: String,
    /// Serial number, in lower-case hexadecimal.
    pub(crate) serial: String,
    /// Subject, as RFC 2253 writes it.
    pub(crate) subject: String,
    /// Issuer, as RFC 2253 writes it.
    pub(crate) issuer: String,
    /// URI names.
    pub(crate) uris: Vec<String>,
    /// DNS names.
    pub(crate) dns_names: Vec<String>,
    /// The certificate as PEM, URL-encoded.
    pub(crate) pem: String,
    /// All certificates that were shown, as PEM, URL-encoded.
    pub(crate) chain: String,
}

impl TlsFacts {
    pub(super) fn new(session: &CommonState, server_name: Option<&str>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into();
        Self {
            server_name: server_name.map(Into::into),
            application_protocol: session.alpn_protocol().map(text),
            version: session.protocol_version().map(version_name).unwrap_or_default(),
            cipher: session.negotiated_cipher_suite().map(cipher_name).unwrap_or_default(),
            peer: session.peer_certificates().and_then(PeerFacts::new).map(Box::new),
            local_uris: Arc::default(),
        }
    }

    /// What upstreams are told of the other side's certificate.
    pub(crate) fn peer_certificate(&self) -> Option<PeerCertificate<'_>> {
        let peer = self.peer.as_ref()?;
        Some(PeerCertificate {
            sha256: &peer.sha256,
            subject: &peer.subject,
            uris: &peer.uris,
            dns_names: &peer.dns_names,
            pem: &peer.pem,
            chain: &peer.chain,
            local_uris: &self.local_uris,
        })
    }
}

impl PeerFacts {
    fn new(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let own = chain.first()?;
        let (_, certificate) = X509Certificate::from_der(own).ok()?;
        let names = alternative_names(&certificate);
        let of_kind = |wanted| {
            let fits = names.iter().filter(move |(kind, _)| *kind == wanted);
            fits.map(|(_, name)| name.clone()).collect()
        };
        Some(Self {
            sha256: HEXLOWER.encode(&sha256(own)),
            serial: HEXLOWER.encode(certificate.raw_serial()),
            subject: rfc2253(certificate.subject()),
            issuer: rfc2253(certificate.issuer()),
            uris: of_kind(NameKind::Uri),
            dns_names: of_kind(NameKind::Dns),
            pem: url_encoded(&pem(own)),
            chain: chain.iter().map(|certificate| url_encoded(&pem(certificate))).collect(),
        })
    }
}

/// SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().try_into().unwrap_or_default()
}

/// The URI names of a certificate.
pub(super) fn uris(certificate: &CertificateDer<'_>) -> Arc<[String]> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return Arc::default();
    };
    let names = alternative_names(&certificate).into_iter();
    names.filter(|(kind, _)| *kind == NameKind::Uri).map(|(_, name)| name).collect()
}

fn pem(der: &[u8]) -> String {
    let encoded = BASE64.encode(der);
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(PEM_LINE));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

/// As Envoy writes PEM into headers.
fn url_encoded(pem: &str) -> String {
    let mut text = String::with_capacity(pem.len() + pem.len() / 8);
    for character in pem.chars() {
        match character {
            '\n' => text.push_str("%0A"),
            ' ' => text.push_str("%20"),
            '+' => text.push_str("%2B"),
            '/' => text.push_str("%2F"),
            '=' => text.push_str("%3D"),
            other => text.push(other),
        }
    }
    text
}
