//! Versions, ciphers and curves as rustls knows them, and their names as OpenSSL writes them.

use std::sync::Arc;

use pilotage_engine::tls::{CipherSuite, Curve, Parameters, Version};
use rustls::crypto::{CryptoProvider, SupportedKxGroup, ring};
use rustls::{NamedGroup, ProtocolVersion, SupportedCipherSuite, SupportedProtocolVersion};

/// The primitives that connections with these parameters use.
pub(super) fn provider(parameters: &Parameters) -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    if !parameters.ciphers.is_empty() {
        let newest = provider.cipher_suites.iter().filter(|suite| suite.tls13().is_some());
        let wanted = parameters.ciphers.iter().filter_map(|wanted| {
            provider.cipher_suites.iter().find(|suite| suite.suite() == cipher(*wanted))
        });
        provider.cipher_suites = newest.chain(wanted).copied().collect();
    }
    if !parameters.curves.is_empty() {
        let groups = &provider.kx_groups;
        let wanted = parameters.curves.iter().filter_map(|wanted| {
            groups.iter().find(|group| group.name() == group_of(*wanted)).copied()
        });
        let wanted: Vec<&'static dyn SupportedKxGroup> = wanted.collect();
        provider.kx_groups = wanted;
    }
    Arc::new(provider)
}

/// The versions to offer or accept.
pub(super) fn versions(parameters: &Parameters) -> Vec<&'static SupportedProtocolVersion> {
    let known = |version: &Version| match version {
        Version::Tls12 => &rustls::version::TLS12,
        Version::Tls13 => &rustls::version::TLS13,
    };
    parameters.versions.iter().map(known).collect()
}

fn cipher(wanted: CipherSuite) -> rustls::CipherSuite {
    use rustls::CipherSuite as Suite;
    match wanted {
        CipherSuite::EcdheEcdsaAes128GcmSha256 => Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::EcdheEcdsaAes256GcmSha384 => Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::EcdheEcdsaChacha20Poly1305 => {
            Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        }
        CipherSuite::EcdheRsaAes128GcmSha256 => Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::EcdheRsaAes256GcmSha384 => Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::EcdheRsaChacha20Poly1305 => Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    }
}

fn group_of(wanted: Curve) -> NamedGroup {
    match wanted {
        Curve::X25519 => NamedGroup::X25519,
        Curve::P256 => NamedGroup::secp256r1,
        Curve::P384 => NamedGroup::secp384r1,
    }
}

/// OpenSSL's name of a version: `TLSv1.3`.
pub(super) fn version_name(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_2 => "TLSv1.2",
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        _ => "",
    }
}

/// OpenSSL's name of a cipher.
pub(super) fn cipher_name(suite: SupportedCipherSuite) -> &'static str {
    use rustls::CipherSuite as Suite;
    match suite.suite() {
        Suite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        Suite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        Suite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-ECDSA-CHACHA20-POLY1305",
        Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => "",
    }
}
