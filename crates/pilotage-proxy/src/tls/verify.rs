//! Checking the other side's certificate as a [`Validation`] says.

use std::fmt;
use std::sync::Arc;

use pilotage_engine::tls::{NameKind, NameMatcher, Validation, dns_name_matches};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, RevocationCheckDepth,
    RevocationOptionsBuilder, UnknownStatusPolicy,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::facts::sha256;
use super::subject::alternative_names;

/// Whom to believe, and the conditions on certificates.
pub(super) struct Trust {
    pub(super) conditions: Validation,
    /// The authorities; `None`: certificates of any authority are accepted.
    pub(super) anchors: Option<Anchors>,
    pub(super) revocations: Vec<CertRevocationList<'static>>,
}

/// Authorities.
#[derive(Default)]
pub(super) struct Anchors {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    pub(super) anchors: Vec<TrustAnchor<'static>>,
}

/// Why a certificate is not accepted, where no standard error says it; in Envoy's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unacceptable {
    /// None of its names is accepted.
    #[error("verify SAN list, expected SANs: [{expected}], certificate SANs: [{shown}]")]
    Names {
        /// Names of which it needs one.
        expected: String,
        /// Names that it has.
        shown: String,
    },
    /// Neither its hash nor that of its key is accepted.
    #[error("cert hash and spki")]
    Pin,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("conditions", &self.conditions).finish_non_exhaustive()
    }
}

impl Trust {
    /// Every certificate is accepted.
    pub(super) fn anybody() -> Self {
        let conditions = Validation { accepts_untrusted: true, ..Validation::default() };
        Self { conditions, anchors: None, revocations: Vec::new() }
    }

    /// Checks the certificate `own`, shown together with `others`. `host`: it has to be for this host too.
    fn check(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        usage: KeyUsage,
        algorithms: WebPkiSupportedAlgorithms,
        now: UnixTime,
        host: Option<&str>,
    ) -> Result<(), Error> {
        if self.conditions.accepts_untrusted {
            return Ok(());
        }
        if let Some(anchors) = &self.anchors {
            self.check_chain(anchors, own, others, usage, algorithms, now)?;
        }
        let Ok((_, certificate)) = X509Certificate::from_der(own) else {
            return Err(CertificateError::BadEncoding.into());
        };
        let conditions = &self.conditions;
        if !conditions.names.is_empty() || host.is_some() {
            let names = alternative_names(&certificate);
            let refused = |expected: String| {
                let shown: Vec<&str> = names.iter().map(|(_, name)| name.as_str()).collect();
                Err(unacceptable(Unacceptable::Names { expected, shown: shown.join(", ") }))
            };
            if !conditions.accepts_any(names.iter().map(|(kind, name)| (*kind, name.as_str()))) {
                let expected = conditions.names.iter().filter_map(NameMatcher::exact);
                return refused(expected.collect::<Vec<_>>().join(", "));
            }
            let for_host = |host: &str| {
                names.iter().any(|(kind, name)| match kind {
                    NameKind::Dns => dns_name_matches(host, name),
                    NameKind::Ip => host == name,
                    NameKind::Uri | NameKind::Email => false,
                })
            };
            if let Some(host) = host.filter(|host| !for_host(host)) {
                return refused(host.to_owned());
            }
        }
        let pinned = !conditions.hashes.is_empty() || !conditions.spki.is_empty();
        if pinned
            && !conditions.hashes.contains(&sha256(own))
            && !conditions.spki.contains(&sha256(certificate.public_key().raw))
        {
            return Err(unacceptable(Unacceptable::Pin));
        }
        Ok(())
    }

    fn check_chain(
        &self,
        anchors: &Anchors,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        usage: KeyUsage,
        algorithms: WebPkiSupportedAlgorithms,
        now: UnixTime,
    ) -> Result<(), Error> {
        // A certificate that is trusted itself needs nobody to vouch for it.
        if anchors.certificates.iter().any(|trusted| trusted == own) {
            return if self.conditions.accepts_expired { Ok(()) } else { in_time(own, now) };
        }
        let certificate = EndEntityCert::try_from(own).map_err(pki_error)?;
        let lists: Vec<&CertRevocationList<'_>> = self.revocations.iter().collect();
        let revocation = (!lists.is_empty()).then(|| {
            let depth = match self.conditions.only_leaf_revocation {
                true => RevocationCheckDepth::EndEntity,
                false => RevocationCheckDepth::Chain,
            };
            let options = RevocationOptionsBuilder::new(&lists).map(|builder| {
                builder
                    .with_depth(depth)
                    .with_status_policy(UnknownStatusPolicy::Deny)
                    .with_expiration_policy(ExpirationPolicy::Enforce)
                    .build()
            });
            options.map_err(|_none| Error::General("no list of revoked certificates".to_owned()))
        });
        let now = if self.conditions.accepts_expired { start_of(own).unwrap_or(now) } else { now };
        let verified = certificate.verify_for_usage(
            algorithms.all,
            &anchors.anchors,
            others,
            now,
            usage,
            revocation.transpose()?,
            None,
        );
        verified.map(drop).map_err(pki_error)
    }

    /// The names of the authorities, for clients that choose their certificate by them.
    fn authority_names(&self) -> Vec<DistinguishedName> {
        let anchors = self.anchors.iter().flat_map(|anchors| &anchors.anchors);
        anchors.map(|anchor| DistinguishedName::in_sequence(anchor.subject.as_ref())).collect()
    }
}

fn unacceptable(why: Unacceptable) -> Error {
    CertificateError::Other(OtherError(Arc::new(why))).into()
}

fn in_time(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return Err(CertificateError::BadEncoding.into());
    };
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = certificate.validity();
    if now < validity.not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

/// When the certificate begins to be valid.
fn start_of(certificate: &CertificateDer<'_>) -> Option<UnixTime> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let start = u64::try_from(certificate.validity().not_before.timestamp()).ok()?;
    Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(start)))
}

fn pki_error(error: webpki::Error) -> Error {
    use webpki::Error as Pki;
    match error {
        Pki::BadDer | Pki::BadDerTime | Pki::TrailingData(_) => {
            CertificateError::BadEncoding.into()
        }
        Pki::CertNotValidYet { .. } => CertificateError::NotValidYet.into(),
        Pki::CertExpired { .. } | Pki::InvalidCertValidity => CertificateError::Expired.into(),
        Pki::UnknownIssuer => CertificateError::UnknownIssuer.into(),
        Pki::CertRevoked => CertificateError::Revoked.into(),
        Pki::UnknownRevocationStatus => CertificateError::UnknownRevocationStatus.into(),
        Pki::CrlExpired { .. } => CertificateError::Other(OtherError(Arc::new(error))).into(),
        Pki::InvalidSignatureForPublicKey => CertificateError::BadSignature.into(),
        Pki::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose.into(),
        other => CertificateError::Other(OtherError(Arc::new(other))).into(),
    }
}

/// Checks upstreams' certificates.
#[derive(Debug)]
pub(super) struct Upstreams {
    /// `None`: they are not looked at.
    pub(super) trust: Option<Arc<Trust>>,
    /// Whether a certificate has to be for the server name asked for.
    pub(super) checks_host: bool,
    pub(super) provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Upstreams {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(trust) = &self.trust {
            let host = self.checks_host.then(|| name.to_str());
            let algorithms = self.provider.signature_verification_algorithms;
            trust.check(own, others, KeyUsage::server_auth(), algorithms, now, host.as_deref())?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Checks clients' certificates.
#[derive(Debug)]
pub(super) struct Clients {
    trust: Arc<Trust>,
    required: bool,
    provider: Arc<CryptoProvider>,
    authorities: Vec<DistinguishedName>,
}

impl Clients {
    pub(super) fn new(trust: Arc<Trust>, required: bool, provider: Arc<CryptoProvider>) -> Self {
        let authorities = trust.authority_names();
        Self { trust, required, provider, authorities }
    }
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.authorities
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let algorithms = self.provider.signature_verification_algorithms;
        self.trust.check(own, others, KeyUsage::client_auth(), algorithms, now, None)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
