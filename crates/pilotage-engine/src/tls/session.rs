//! What a TLS handshake has shown, and the command operators that tell of it in headers and logs.

use std::sync::Arc;
use std::time::Duration;

use crate::header_format::TimeFormat;

/// One connection's TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSession {
    /// Version by OpenSSL's name: `TLSv1.3`.
    pub version: &'static str,
    /// Cipher by OpenSSL's name.
    pub cipher: &'static str,
    /// The other side's certificate, when it showed one that was verified.
    pub peer: Option<Box<Certificate>>,
    /// The certificate that this side shows.
    pub local: Arc<Certificate>,
}

/// What a certificate says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of the certificate, in lower-case hexadecimal.
    pub sha256: String,
    /// SHA-1 of the certificate, in lower-case hexadecimal.
    pub sha1: String,
    /// Serial number, in lower-case hexadecimal.
    pub serial: String,
    /// Subject, as RFC 2253 writes it.
    pub subject: String,
    /// Issuer, as RFC 2253 writes it.
    pub issuer: String,
    /// URI names: `spiffe://…`.
    pub uris: Vec<String>,
    /// DNS names.
    pub dns_names: Vec<String>,
    /// Addresses of electronic mail.
    pub emails: Vec<String>,
    /// IP addresses.
    pub ips: Vec<String>,
    /// Beginning of its validity, since the Unix epoch.
    pub not_before: Duration,
    /// End of its validity, since the Unix epoch.
    pub not_after: Duration,
    /// The certificate as PEM, URL-encoded.
    pub pem: String,
    /// All certificates that were shown with it, as PEM, URL-encoded.
    pub chain: String,
}

/// Which connection an operator tells of: `%DOWNSTREAM_TLS_VERSION%` or `%UPSTREAM_TLS_VERSION%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsSide {
    /// The client's.
    Downstream,
    /// That to the endpoint.
    Upstream,
}

/// One part of what is known of a connection's TLS. The operators are Envoy's, without the side that they begin with.
#[derive(Clone, Debug, PartialEq)]
pub enum TlsOperator {
    /// `TLS_VERSION`
    Version,
    /// `TLS_CIPHER`
    Cipher,
    /// `LOCAL_…`, of this side's certificate.
    Local(CertificatePart),
    /// `PEER_…`, of the other side's.
    Peer(CertificatePart),
}

/// A part of a certificate.
#[derive(Clone, Debug, PartialEq)]
pub enum CertificatePart {
    /// `SUBJECT`
    Subject,
    /// `ISSUER`
    Issuer,
    /// `SERIAL`
    Serial,
    /// `FINGERPRINT_256`
    Sha256,
    /// `FINGERPRINT_1`
    Sha1,
    /// `URI_SAN`
    Uris,
    /// `DNS_SAN`
    DnsNames,
    /// `EMAIL_SAN`
    Emails,
    /// `IP_SAN`
    Ips,
    /// `CERT`
    Pem,
    /// `CERT_V_START`
    NotBefore(TimeFormat),
    /// `CERT_V_END`
    NotAfter(TimeFormat),
}

impl TlsOperator {
    /// The operator called `name`, and its side. `argument` is what stands in parentheses after it.
    ///
    /// # Errors
    /// When there is such an operator, and the argument is not one for it.
    pub fn of(name: &str, argument: Option<&str>) -> Result<Option<(TlsSide, Self)>, String> {
        let (side, name) = match name.split_once('_') {
            Some(("DOWNSTREAM", name)) => (TlsSide::Downstream, name),
            Some(("UPSTREAM", name)) => (TlsSide::Upstream, name),
            _ => return Ok(None),
        };
        let operator = match name {
            "TLS_VERSION" => Some(Self::Version),
            "TLS_CIPHER" => Some(Self::Cipher),
            _ => match name.split_once('_') {
                Some(("PEER", part)) => CertificatePart::of(part, argument)?.map(Self::Peer),
                Some(("LOCAL", part)) => {
                    CertificatePart::of_local(part, argument)?.map(Self::Local)
                }
                _ => None,
            },
        };
        Ok(operator.map(|operator| (side, operator)))
    }

    /// Its text; empty where there is none.
    pub fn text(&self, session: &TlsSession) -> String {
        match self {
            Self::Version => session.version.to_owned(),
            Self::Cipher => session.cipher.to_owned(),
            Self::Local(part) => part.text(&session.local),
            Self::Peer(part) => {
                session.peer.as_deref().map(|peer| part.text(peer)).unwrap_or_default()
            }
        }
    }
}

impl CertificatePart {
    fn of(name: &str, argument: Option<&str>) -> Result<Option<Self>, String> {
        let time = || TimeFormat::compile(argument.unwrap_or_default());
        Ok(Some(match name {
            "ISSUER" => Self::Issuer,
            "SERIAL" => Self::Serial,
            "FINGERPRINT_256" => Self::Sha256,
            "FINGERPRINT_1" => Self::Sha1,
            "CERT" => Self::Pem,
            "CERT_V_START" => Self::NotBefore(time()?),
            "CERT_V_END" => Self::NotAfter(time()?),
            _ => return Self::of_local(name, argument),
        }))
    }

    /// Less is told of one's own.
    fn of_local(name: &str, _argument: Option<&str>) -> Result<Option<Self>, String> {
        Ok(match name {
            "SUBJECT" => Some(Self::Subject),
            "URI_SAN" => Some(Self::Uris),
            "DNS_SAN" => Some(Self::DnsNames),
            "EMAIL_SAN" => Some(Self::Emails),
            "IP_SAN" => Some(Self::Ips),
            _ => None,
        })
    }

    fn text(&self, certificate: &Certificate) -> String {
        match self {
            Self::Subject => certificate.subject.clone(),
            Self::Issuer => certificate.issuer.clone(),
            Self::Serial => certificate.serial.clone(),
            Self::Sha256 => certificate.sha256.clone(),
            Self::Sha1 => certificate.sha1.clone(),
            Self::Uris => certificate.uris.join(","),
            Self::DnsNames => certificate.dns_names.join(","),
            Self::Emails => certificate.emails.join(","),
            Self::Ips => certificate.ips.join(","),
            Self::Pem => certificate.pem.clone(),
            Self::NotBefore(time) => time.at(certificate.not_before).to_string(),
            Self::NotAfter(time) => time.at(certificate.not_after).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Certificate, TlsOperator, TlsSession, TlsSide};

    #[test]
    fn a_certificate_is_told_in_parts() {
        let peer = Certificate {
            subject: "CN=a".to_owned(),
            uris: vec!["spiffe://a".to_owned(), "spiffe://b".to_owned()],
            not_after: Duration::from_secs(1_709_210_096),
            ..Certificate::default()
        };
        let session =
            TlsSession { version: "TLSv1.3", peer: Some(Box::new(peer)), ..TlsSession::default() };
        let text = |name: &str| {
            let (side, operator) =
                TlsOperator::of(&format!("UPSTREAM_{name}"), None).unwrap().unwrap();
            assert_eq!(side, TlsSide::Upstream);
            operator.text(&session)
        };
        assert_eq!(text("TLS_VERSION"), "TLSv1.3");
        assert_eq!(text("PEER_SUBJECT"), "CN=a");
        assert_eq!(text("PEER_URI_SAN"), "spiffe://a,spiffe://b");
        assert_eq!(text("PEER_ISSUER"), "");
        assert_eq!(text("LOCAL_SUBJECT"), "");
        assert_eq!(text("PEER_CERT_V_END"), "2024-02-29T12:34:56.000Z");
        assert_eq!(TlsOperator::of("DOWNSTREAM_LOCAL_SERIAL", None), Ok(None));
        assert_eq!(TlsOperator::of("DOWNSTREAM_REMOTE_ADDRESS", None), Ok(None));
        assert_eq!(TlsOperator::of("PEER_SUBJECT", None), Ok(None));
        assert!(TlsOperator::of("DOWNSTREAM_PEER_CERT_V_END", Some("%q")).is_err());
    }
}
