//! Rules of TLS towards a destination.

use super::checker::Checker;
use crate::destination_rule::{ClientTlsMode, ClientTlsSettings};
use crate::field_path::FieldPath;

pub(super) fn check(settings: &ClientTlsSettings, at: &FieldPath, checker: &mut Checker<'_>) {
    insecure_skip_verify(settings, at, checker);
    let has_files = !settings.client_certificate.is_empty()
        || !settings.private_key.is_empty()
        || !settings.ca_certificates.is_empty()
        || !settings.ca_crl.is_empty();
    let by_credential = matches!(settings.mode, ClientTlsMode::Simple | ClientTlsMode::Mutual)
        && !settings.credential_name.is_empty();
    if by_credential {
        if has_files {
            checker.error(
                &at.field("credentialName"),
                "certificates come from a secret or from files, not from both",
                "not beside file names",
            );
        }
        config_map(&settings.credential_name, &at.field("credentialName"), checker);
        return;
    }
    if settings.mode == ClientTlsMode::Mutual {
        for (field, value) in [
            ("clientCertificate", &settings.client_certificate),
            ("privateKey", &settings.private_key),
        ] {
            if value.is_empty() {
                checker.error(
                    at,
                    format!("mode MUTUAL needs `{field}`"),
                    format!("needs `{field}`"),
                );
            }
        }
    }
}

fn insecure_skip_verify(settings: &ClientTlsSettings, at: &FieldPath, checker: &mut Checker<'_>) {
    if settings.insecure_skip_verify != Some(true) {
        return;
    }
    let verifies = !settings.ca_certificates.is_empty() || !settings.subject_alt_names.is_empty();
    let conflicts = match settings.mode {
        ClientTlsMode::Simple => verifies || !settings.credential_name.is_empty(),
        ClientTlsMode::Mutual => verifies,
        ClientTlsMode::Disable | ClientTlsMode::IstioMutual => false,
    };
    if conflicts {
        checker.error(
            &at.field("insecureSkipVerify"),
            "the server's certificate is either verified or not",
            "not beside a CA or subject names",
        );
    }
}

/// A credential in a ConfigMap is named with its namespace, which has to be the rule's own.
fn config_map(credential: &str, at: &FieldPath, checker: &mut Checker<'_>) {
    let Some(rest) = credential.strip_prefix("configmap://") else { return };
    match rest.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            if namespace != checker.namespace() {
                checker.error(
                    at,
                    "a ConfigMap has to be in the namespace of the rule",
                    "other namespace",
                );
            }
        }
        _ => checker.error(
            at,
            format!("`{credential}` does not name a ConfigMap"),
            "configmap://namespace/name",
        ),
    }
}
