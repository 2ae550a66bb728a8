//! Versions, ciphers and curves.

use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::TlsParameters;
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::tls_parameters::TlsProtocol;

use crate::rejection::{FieldError, Warnings};

/// A version of TLS. Older ones are not spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// A cipher suite of TLS 1.2. Those of TLS 1.3 cannot be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say all there is to say")]
pub enum CipherSuite {
    EcdheEcdsaAes128GcmSha256,
    EcdheEcdsaAes256GcmSha384,
    EcdheEcdsaChacha20Poly1305,
    EcdheRsaAes128GcmSha256,
    EcdheRsaAes256GcmSha384,
    EcdheRsaChacha20Poly1305,
}

/// A group for the exchange of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say all there is to say")]
pub enum Curve {
    X25519,
    P256,
    P384,
}

/// What a handshake may settle on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parameters {
    /// Versions, oldest first. None at all where what is asked for leaves none: every handshake fails then.
    pub versions: Vec<Version>,
    /// Ciphers for TLS 1.2 in order of preference; empty: all that are safe.
    pub ciphers: Vec<CipherSuite>,
    /// Curves in order of preference; empty: all that there are.
    pub curves: Vec<Curve>,
}

impl Default for Parameters {
    fn default() -> Self {
        let versions = vec![Version::Tls12, Version::Tls13];
        Self { versions, ciphers: Vec::new(), curves: Vec::new() }
    }
}

impl Parameters {
    pub(crate) fn compile(
        proto: Option<&TlsParameters>,
        warnings: &mut Warnings,
    ) -> Result<Self, FieldError> {
        let Some(proto) = proto else { return Ok(Self::default()) };
        let too_old = "TLS before 1.2 is not spoken";
        let min = match proto.tls_minimum_protocol_version() {
            TlsProtocol::TlSv13 => Version::Tls13,
            TlsProtocol::TlsAuto | TlsProtocol::TlSv12 => Version::Tls12,
            TlsProtocol::TlSv10 | TlsProtocol::TlSv11 => {
                warnings.note("tls_minimum_protocol_version", too_old);
                Version::Tls12
            }
        };
        let max = match proto.tls_maximum_protocol_version() {
            TlsProtocol::TlsAuto | TlsProtocol::TlSv13 => Some(Version::Tls13),
            TlsProtocol::TlSv12 => Some(Version::Tls12),
            TlsProtocol::TlSv10 | TlsProtocol::TlSv11 => None,
        };
        let mut versions = vec![Version::Tls12, Version::Tls13];
        versions.retain(|version| *version >= min && Some(*version) <= max);
        if !proto.signature_algorithms.is_empty() {
            warnings.note("signature_algorithms", "all safe ones are accepted");
        }
        if !proto.compliance_policies.is_empty() {
            return Err(FieldError::new("compliance_policies", "are not supported"));
        }
        let ciphers = known("cipher_suites", ciphers(&proto.cipher_suites), cipher, warnings);
        if ciphers.is_empty() && !proto.cipher_suites.is_empty() {
            // Without a cipher of its own there is no TLS 1.2.
            versions.retain(|version| *version != Version::Tls12);
        }
        if versions.is_empty() {
            warnings
                .note("", "no version of TLS is left that could be spoken: every handshake fails");
        }
        let curves =
            known("ecdh_curves", proto.ecdh_curves.iter().map(String::as_str), curve, warnings);
        if curves.is_empty() && !proto.ecdh_curves.is_empty() {
            return Err(FieldError::new("ecdh_curves", "none of them is supported"));
        }
        Ok(Self { versions, ciphers, curves })
    }
}

/// The names in a list of ciphers, those of groups of equal preference too: `[A|B]`.
fn ciphers(written: &[String]) -> impl Iterator<Item = &str> {
    written.iter().flat_map(|entry| entry.trim_matches(['[', ']']).split('|'))
}

/// What the names mean, each once; those that mean nothing are noted.
fn known<'a, T: PartialEq>(
    field: &str,
    written: impl Iterator<Item = &'a str>,
    parse: fn(&str) -> Option<T>,
    warnings: &mut Warnings,
) -> Vec<T> {
    let mut found = Vec::new();
    let mut unknown = Vec::new();
    for name in written {
        match parse(name) {
            Some(value) if !found.contains(&value) => found.push(value),
            Some(_) => {}
            None => unknown.push(name),
        }
    }
    if !unknown.is_empty() {
        warnings.note(field, format!("not supported: {}", unknown.join(", ")));
    }
    found
}

fn cipher(name: &str) -> Option<CipherSuite> {
    Some(match name {
        "ECDHE-ECDSA-AES128-GCM-SHA256" | "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" => {
            CipherSuite::EcdheEcdsaAes128GcmSha256
        }
        "ECDHE-ECDSA-AES256-GCM-SHA384" | "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" => {
            CipherSuite::EcdheEcdsaAes256GcmSha384
        }
        "ECDHE-ECDSA-CHACHA20-POLY1305" | "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" => {
            CipherSuite::EcdheEcdsaChacha20Poly1305
        }
        "ECDHE-RSA-AES128-GCM-SHA256" | "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" => {
            CipherSuite::EcdheRsaAes128GcmSha256
        }
        "ECDHE-RSA-AES256-GCM-SHA384" | "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" => {
            CipherSuite::EcdheRsaAes256GcmSha384
        }
        "ECDHE-RSA-CHACHA20-POLY1305" | "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" => {
            CipherSuite::EcdheRsaChacha20Poly1305
        }
        _ => return None,
    })
}

fn curve(name: &str) -> Option<Curve> {
    Some(match name {
        "X25519" => Curve::X25519,
        "P-256" => Curve::P256,
        "P-384" => Curve::P384,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::TlsParameters;
    use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::tls_parameters::TlsProtocol;

    use super::{CipherSuite, Parameters, Version};
    use crate::rejection::{FieldError, Warnings};

    fn compile(proto: TlsParameters) -> (Result<Parameters, FieldError>, Vec<String>) {
        let mut warnings = Warnings::default();
        let result = Parameters::compile(Some(&proto), &mut warnings);
        (result, warnings.into_found().into_iter().map(|w| w.to_string()).collect())
    }

    #[test]
    fn what_is_not_spoken_is_said() {
        let (parameters, warnings) = compile(TlsParameters {
            tls_minimum_protocol_version: TlsProtocol::TlSv10 as i32,
            cipher_suites: vec![
                "AES128-SHA".into(),
                "[ECDHE-RSA-AES128-GCM-SHA256|AES256-SHA]".into(),
            ],
            ..TlsParameters::default()
        });
        let parameters = parameters.unwrap();
        assert_eq!(parameters.versions, [Version::Tls12, Version::Tls13]);
        assert_eq!(parameters.ciphers, [CipherSuite::EcdheRsaAes128GcmSha256]);
        assert_eq!(
            warnings,
            [
                "tls_minimum_protocol_version: TLS before 1.2 is not spoken",
                "cipher_suites: not supported: AES128-SHA, AES256-SHA"
            ]
        );
    }

    #[test]
    fn what_nobody_could_settle_on_is_said() {
        let suites = || vec!["AES128-SHA".to_owned()];
        for (min, max, suites, left) in [
            (TlsProtocol::TlsAuto, TlsProtocol::TlSv11, Vec::new(), Vec::new()),
            (TlsProtocol::TlSv13, TlsProtocol::TlSv12, Vec::new(), Vec::new()),
            (TlsProtocol::TlsAuto, TlsProtocol::TlSv12, suites(), Vec::new()),
            (TlsProtocol::TlsAuto, TlsProtocol::TlsAuto, suites(), vec![Version::Tls13]),
            (TlsProtocol::TlSv12, TlsProtocol::TlSv12, Vec::new(), vec![Version::Tls12]),
        ] {
            let (parameters, warnings) = compile(TlsParameters {
                tls_minimum_protocol_version: min as i32,
                tls_maximum_protocol_version: max as i32,
                cipher_suites: suites,
                ..TlsParameters::default()
            });
            assert_eq!(parameters.unwrap().versions, left);
            assert_eq!(
                warnings.iter().any(|w| w.contains("every handshake fails")),
                left.is_empty()
            );
        }
    }
}
