//! What the certificate of the other side has to satisfy.

use std::sync::Arc;

use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::CertificateValidationContext;
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::certificate_validation_context::TrustChainVerification;

use super::certificate::Data;
use super::names::{NameKind, NameMatcher};
use crate::rejection::{FieldError, Warnings};

/// Whose signature counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Authorities {
    /// Nobody's: certificates are accepted whoever signed them, as far as hashes do not say otherwise.
    #[default]
    None,
    /// The operating system's list.
    System,
    /// These, as PEM.
    Pem(Data),
}

/// Conditions on a certificate.
#[derive(Clone, Debug, Default)]
pub struct Validation {
    /// Whose signature counts.
    pub authorities: Authorities,
    /// Names of which the certificate needs to have one; empty: any name.
    pub names: Vec<NameMatcher>,
    /// SHA-256 of public keys (SPKI) that are accepted.
    pub spki: Vec<[u8; 32]>,
    /// SHA-256 of certificates that are accepted. With `spki` together: either.
    pub hashes: Vec<[u8; 32]>,
    /// Revoked certificates, as PEM.
    pub revoked: Option<Data>,
    /// Only the certificate itself is looked up there, not those of its authorities.
    pub only_leaf_revocation: bool,
    /// Certificates of unknown authorities are accepted. Names are not checked then.
    pub accepts_untrusted: bool,
    /// Certificates are accepted after their time.
    pub accepts_expired: bool,
}

impl Validation {
    /// Whether there is a condition that only a certificate satisfies. As in Envoy, it makes one obligatory, whatever
    /// else is said of that.
    #[must_use]
    pub fn demands_certificate(&self) -> bool {
        let none = self.names.is_empty() && self.spki.is_empty() && self.hashes.is_empty();
        !none && !self.accepts_untrusted
    }

    pub(crate) fn compile(
        proto: &CertificateValidationContext,
        warnings: &mut Warnings,
    ) -> Result<Self, FieldError> {
        let mut names = Vec::new();
        for (index, matcher) in proto.match_typed_subject_alt_names.iter().enumerate() {
            let field = format!("match_typed_subject_alt_names[{index}]");
            names.push(NameMatcher::typed(matcher).map_err(|e| e.within(field))?);
        }
        for (index, matcher) in proto.match_subject_alt_names.iter().enumerate() {
            let field = format!("match_subject_alt_names[{index}]");
            names.push(NameMatcher::any_kind(matcher).map_err(|e| e.within(field))?);
        }
        let trusted = Data::compile("trusted_ca", proto.trusted_ca.as_ref())?;
        let authorities = match (trusted, &proto.system_root_certs) {
            (Some(data), system) => {
                if system.is_some() {
                    warnings.note("system_root_certs", "trusted_ca counts instead");
                }
                Authorities::Pem(data)
            }
            (None, Some(_)) => Authorities::System,
            (None, None) => Authorities::None,
        };
        Ok(Self {
            authorities,
            names,
            spki: hashes("verify_certificate_spki", &proto.verify_certificate_spki, base64)?,
            hashes: hashes("verify_certificate_hash", &proto.verify_certificate_hash, hexadecimal)?,
            revoked: Data::compile("crl", proto.crl.as_ref())?,
            only_leaf_revocation: proto.only_verify_leaf_cert_crl,
            accepts_untrusted: proto.trust_chain_verification()
                == TrustChainVerification::AcceptUntrusted,
            accepts_expired: proto.allow_expired_certificate,
        })
    }

    /// Whether the conditions make sense together.
    ///
    /// # Errors
    /// When what is asked for proves nothing, because nobody vouches for the certificate.
    pub fn check(&self) -> Result<(), FieldError> {
        if self.authorities != Authorities::None {
            return Ok(());
        }
        let error = |path, what: &str| {
            Err(FieldError::new(path, format!("{what} without authorities proves nothing")))
        };
        if !self.names.is_empty() {
            return error("match_subject_alt_names", "a name in a certificate");
        }
        if self.revoked.is_some() {
            return error("crl", "a list of revoked certificates");
        }
        if self.accepts_expired {
            return error("allow_expired_certificate", "a time of validity");
        }
        Ok(())
    }

    /// Whether any condition is set.
    pub fn is_empty(&self) -> bool {
        self.authorities == Authorities::None && self.spki.is_empty() && self.hashes.is_empty()
    }

    /// The conditions of both; `other`'s count where there can be only one.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        let mut all = self.clone();
        if other.authorities != Authorities::None {
            all.authorities = other.authorities.clone();
        }
        all.names.extend_from_slice(&other.names);
        all.spki.extend_from_slice(&other.spki);
        all.hashes.extend_from_slice(&other.hashes);
        if other.revoked.is_some() {
            all.revoked.clone_from(&other.revoked);
        }
        all.only_leaf_revocation |= other.only_leaf_revocation;
        all.accepts_untrusted |= other.accepts_untrusted;
        all.accepts_expired |= other.accepts_expired;
        all
    }

    /// Whether any of a certificate's names is accepted.
    pub fn accepts_any<'n>(&self, mut names: impl Iterator<Item = (NameKind, &'n str)>) -> bool {
        self.names.is_empty()
            || names.any(|(kind, name)| self.names.iter().any(|m| m.matches(kind, name)))
    }
}

/// Conditions, part of which may be in a secret.
#[derive(Clone, Debug, Default)]
pub struct ValidationSource {
    /// The conditions known already.
    pub own: Validation,
    /// The secret with further ones.
    pub secret: Option<Arc<str>>,
}

fn hashes(
    field: &str,
    written: &[String],
    parse: fn(&str) -> Option<[u8; 32]>,
) -> Result<Vec<[u8; 32]>, FieldError> {
    let parse = |text: &String| {
        parse(text).ok_or_else(|| FieldError::new(field, format!("`{text}` is no SHA-256")))
    };
    written.iter().map(parse).collect()
}

/// 32 bytes in hexadecimal, with or without colons.
fn hexadecimal(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let mut digits = text.chars().filter(|c| *c != ':');
    for byte in &mut bytes {
        let (high, low) = (digits.next()?.to_digit(16)?, digits.next()?.to_digit(16)?);
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    digits.next().is_none().then_some(bytes)
}

/// 32 bytes in base64: 43 digits and one `=`.
fn base64(text: &str) -> Option<[u8; 32]> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.strip_suffix('=')?.as_bytes();
    let (mut bytes, mut length) = ([0_u8; 32], 0);
    let (mut bits, mut held) = (0_u32, 0);
    for digit in digits {
        let value = DIGITS.iter().position(|known| known == digit)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            *bytes.get_mut(length)? = u8::try_from(bits >> held & 0xff).ok()?;
            length += 1;
        }
    }
    (length == 32 && digits.len() == 43).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::CertificateValidationContext;

    use super::{Validation, base64, hexadecimal};
    use crate::rejection::Warnings;

    #[test]
    fn hashes_are_read_as_envoy_writes_them() {
        let bytes: [u8; 32] = std::array::from_fn(|i| i as u8);
        let text = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
        assert_eq!(hexadecimal(text), Some(bytes));
        let pairs: Vec<&str> = (0..32).map(|i| &text[2 * i..2 * i + 2]).collect();
        assert_eq!(hexadecimal(&pairs.join(":")), Some(bytes));
        assert_eq!(hexadecimal(&text[2..]), None);
        assert_eq!(base64("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), Some(bytes));
        assert_eq!(base64("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"), None);
        assert_eq!(base64("AAEC"), None);
    }

    #[test]
    fn names_without_authorities_prove_nothing() {
        let proto = CertificateValidationContext {
            match_subject_alt_names: vec![Default::default()],
            ..Default::default()
        };
        let error = Validation::compile(&proto, &mut Warnings::default()).unwrap_err();
        assert_eq!(error.path, "match_subject_alt_names[0].match_pattern");
        let mut validation = Validation::default();
        validation.check().unwrap();
        validation.accepts_expired = true;
        assert_eq!(validation.check().unwrap_err().path, "allow_expired_certificate");
    }
}
