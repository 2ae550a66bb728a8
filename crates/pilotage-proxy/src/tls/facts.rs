//! What a handshake has shown.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER};
use pilotage_engine::tls::{Certificate, NameKind, TlsSession};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use rustls::CommonState;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

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
    /// Version, cipher and certificates.
    pub(crate) session: Arc<TlsSession>,
}

impl TlsFacts {
    /// Of a finished handshake, in which this side shows the certificate `local`.
    pub(super) fn new(
        session: &CommonState,
        server_name: Option<&str>,
        local: &Arc<Certificate>,
    ) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into();
        Self {
            server_name: server_name.map(Into::into),
            application_protocol: session.alpn_protocol().map(text),
            session: Arc::new(TlsSession {
                version: session.protocol_version().map(version_name).unwrap_or_default(),
                cipher: session.negotiated_cipher_suite().map(cipher_name).unwrap_or_default(),
                peer: session.peer_certificates().and_then(certificate).map(Box::new),
                local: Arc::clone(local),
            }),
        }
    }
}

/// What the first certificate of `chain` says. `None`: it cannot be read.
pub(super) fn certificate(chain: &[CertificateDer<'_>]) -> Option<Certificate> {
    let own = chain.first()?;
    let (_, certificate) = X509Certificate::from_der(own).ok()?;
    let names = alternative_names(&certificate);
    let of_kind = |wanted| {
        let fits = names.iter().filter(move |(kind, _)| *kind == wanted);
        fits.map(|(_, name)| name.clone()).collect()
    };
    let time = |time: ASN1Time| Duration::from_secs(time.timestamp().try_into().unwrap_or(0));
    let validity = certificate.validity();
    Some(Certificate {
        sha256: HEXLOWER.encode(&sha256(own)),
        sha1: HEXLOWER.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, own).as_ref()),
        serial: serial(certificate.raw_serial()),
        subject: rfc2253(certificate.subject()),
        issuer: rfc2253(certificate.issuer()),
        uris: of_kind(NameKind::Uri),
        dns_names: of_kind(NameKind::Dns),
        emails: of_kind(NameKind::Email),
        ips: of_kind(NameKind::Ip),
        not_before: time(validity.not_before),
        not_after: time(validity.not_after),
        pem: url_encoded(&pem(own)),
        chain: chain.iter().map(|certificate| url_encoded(&pem(certificate))).collect(),
    })
}

/// A serial number without the zeros that keep it from being read as a negative one.
fn serial(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    HEXLOWER.encode(bytes.get(zeros..).unwrap_or_default())
}

/// SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let found = digest(&SHA256, bytes);
    found.as_ref().try_into().unwrap_or_default()
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
