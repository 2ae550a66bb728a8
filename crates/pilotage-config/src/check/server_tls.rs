//! Rules of TLS that is ended by a gateway or sidecar.

use std::collections::BTreeSet;

use super::checker::Checker;
use crate::field_path::FieldPath;
use crate::gateway::{ServerTlsMode, ServerTlsSettings, TlsProtocol};

/// Cipher suites that Envoy knows for TLS 1.2 and below.
const CIPHER_SUITES: [&str; 20] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "ECDHE-ECDSA-AES128-CBC-SHA256",
    "ECDHE-RSA-AES128-CBC-SHA256",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
    "AES256-SHA",
    "DES-CBC3-SHA",
    "ECDHE-RSA-DES-CBC3-SHA",
    "AES128-SHA256",
    "AES256-SHA256",
];
/// RSA and ECDSA, one each.
const CERTIFICATES_MAX: usize = 2;

pub(super) fn check(tls: &ServerTlsSettings, at: &FieldPath, checker: &mut Checker<'_>) {
    cipher_suites(tls, at, checker);
    match tls.mode {
        ServerTlsMode::IstioMutual => workload_certificate_only(tls, at, checker),
        ServerTlsMode::Passthrough | ServerTlsMode::AutoPassthrough => {
            if has_certificate(tls) {
                checker.warning(
                    at,
                    "TLS is passed through, so the certificates are not used",
                    "has no effect",
                );
            }
        }
        ServerTlsMode::Simple | ServerTlsMode::Mutual | ServerTlsMode::OptionalMutual => {
            certificate(tls, at, checker);
        }
    }
}

fn has_certificate(tls: &ServerTlsSettings) -> bool {
    !tls.server_certificate.is_empty()
        || !tls.private_key.is_empty()
        || !tls.ca_certificates.is_empty()
        || !tls.credential_name.is_empty()
        || !tls.credential_names.is_empty()
        || !tls.tls_certificates.is_empty()
        || !tls.ca_crl.is_empty()
}

fn workload_certificate_only(tls: &ServerTlsSettings, at: &FieldPath, checker: &mut Checker<'_>) {
    let set = [
        ("serverCertificate", !tls.server_certificate.is_empty()),
        ("privateKey", !tls.private_key.is_empty()),
        ("caCertificates", !tls.ca_certificates.is_empty()),
        ("caCrl", !tls.ca_crl.is_empty()),
        ("credentialName", !tls.credential_name.is_empty()),
        ("credentialNames", !tls.credential_names.is_empty()),
        ("tlsCertificates", !tls.tls_certificates.is_empty()),
    ];
    for (field, _) in set.iter().filter(|(_, is_set)| *is_set) {
        checker.error(
            &at.field(field),
            "mode ISTIO_MUTUAL uses the certificate of the workload and no other",
            "not with ISTIO_MUTUAL",
        );
    }
}

fn certificate(tls: &ServerTlsSettings, at: &FieldPath, checker: &mut Checker<'_>) {
    let by_file = !tls.server_certificate.is_empty() && !tls.private_key.is_empty();
    let sources = [
        !tls.credential_name.is_empty(),
        !tls.credential_names.is_empty(),
        by_file,
        !tls.tls_certificates.is_empty(),
    ];
    if sources.iter().filter(|is_set| **is_set).count() > 1 {
        checker.error(
            at,
            "certificates come from one of credentialName, credentialNames, \
             serverCertificate with privateKey, and tlsCertificates",
            "more than one source",
        );
        return;
    }
    if tls.tls_certificates.len() > CERTIFICATES_MAX {
        checker.warning(
            &at.field("tlsCertificates"),
            format!("only {CERTIFICATES_MAX} certificates (RSA and ECDSA) are used"),
            "too many",
        );
    }
    if !tls.credential_name.is_empty() || !tls.credential_names.is_empty() {
        return;
    }
    let mode = tls.mode.as_str();
    if tls.tls_certificates.is_empty() {
        for (field, value) in
            [("serverCertificate", &tls.server_certificate), ("privateKey", &tls.private_key)]
        {
            if value.is_empty() {
                let message = format!("mode {mode} needs `{field}` or `credentialName`");
                checker.error(at, message, format!("needs `{field}`"));
            }
        }
    }
    for (index, entry) in tls.tls_certificates.iter().enumerate() {
        if entry.server_certificate.is_empty() || entry.private_key.is_empty() {
            let at = at.field("tlsCertificates").index(index);
            checker.error(&at, "a certificate is a chain and its key", "incomplete");
        }
    }
    if tls.mode == ServerTlsMode::Simple {
        if !tls.ca_crl.is_empty() {
            let message = "mode SIMPLE asks for no client certificate that could be revoked";
            checker.error(&at.field("caCrl"), message, "not with SIMPLE");
        }
    } else if tls.ca_certificates.is_empty() {
        let message = format!("mode {mode} needs `caCertificates` to verify clients");
        checker.error(at, message, "needs `caCertificates`");
    }
}

fn cipher_suites(tls: &ServerTlsSettings, at: &FieldPath, checker: &mut Checker<'_>) {
    if matches!(tls.min_protocol_version, TlsProtocol::TlsV10 | TlsProtocol::TlsV11)
        && tls.cipher_suites.is_empty()
    {
        checker.warning(
            &at.field("minProtocolVersion"),
            "clients below TLS 1.2 need cipher suites that are not on by default",
            "needs `cipherSuites`",
        );
    }
    let mut seen = BTreeSet::new();
    for (index, suite) in tls.cipher_suites.iter().enumerate() {
        let at = at.field("cipherSuites").index(index);
        if !is_known(suite) {
            checker.warning(&at, format!("`{suite}` is not a known cipher suite"), "not used");
        } else if !seen.insert(suite) {
            checker.warning(&at, format!("`{suite}` is listed twice"), "again");
        }
    }
}

/// Whether Envoy knows a suite, or all suites of a group of equal preference: `[one|other]`.
fn is_known(suite: &str) -> bool {
    match suite.strip_prefix('[').and_then(|group| group.strip_suffix(']')) {
        Some(group) => group.split('|').all(|suite| CIPHER_SUITES.contains(&suite)),
        None => CIPHER_SUITES.contains(&suite),
    }
}
