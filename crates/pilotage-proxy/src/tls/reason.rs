//! Why a handshake failed, in Envoy's words where there are such.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

/// OpenSSL's number of the library that errors of TLS come from.
const SSL_LIBRARY: u32 = 16 << 24;
/// Added to the number of an alert that the other side sent.
const ALERT: u32 = 1000;

/// `%UPSTREAM_TRANSPORT_FAILURE_REASON%` for a handshake that failed.
pub(super) fn transport_failure(error: &io::Error) -> String {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => "TLS_error:_the_connection_was_closed".to_owned(),
            _ => format!("TLS_error: {error}").replace(' ', "_"),
        };
    };
    match named(tls) {
        Some((number, name)) => {
            let number = SSL_LIBRARY + number;
            let detail = certificate_detail(tls).map(|detail| format!("{detail}:"));
            let detail = detail.unwrap_or_default();
            format!(
                "TLS_error:|{number}:SSL routines:OPENSSL_internal:{name}:{detail}TLS_error_end"
            )
            .replace(' ', "_")
        }
        None => format!("TLS_error: {tls}").replace(' ', "_"),
    }
}

/// What exactly is wrong with the other side's certificate.
fn certificate_detail(error: &Error) -> Option<String> {
    let Error::InvalidCertificate(error) = error else { return None };
    let chain = match error {
        CertificateError::UnknownIssuer => "unable to get local issuer certificate",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "certificate has expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "certificate is not yet valid"
        }
        CertificateError::Revoked => "certificate revoked",
        CertificateError::UnknownRevocationStatus => "unable to get certificate CRL",
        CertificateError::InvalidPurpose => "unsupported certificate purpose",
        CertificateError::Other(other) => return Some(format!("verify cert failed: {}", other.0)),
        other => return Some(format!("verify cert failed: {other}")),
    };
    let place = "X509_verify_cert: certificate verification error at depth 0";
    Some(format!("verify cert failed: {place}: {chain}"))
}

/// Number and name of the error as BoringSSL has them.
fn named(error: &Error) -> Option<(u32, &'static str)> {
    Some(match error {
        Error::InvalidCertificate(CertificateError::BadSignature) => (117, "BAD_SIGNATURE"),
        Error::InvalidCertificate(_) => (125, "CERTIFICATE_VERIFY_FAILED"),
        Error::InvalidMessage(InvalidMessage::InvalidContentType)
        | Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion) => {
            (247, "WRONG_VERSION_NUMBER")
        }
        Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            (240, "UNSUPPORTED_PROTOCOL")
        }
        Error::AlertReceived(alert) => (ALERT + u32::from(u8::from(*alert)), alert_name(*alert)?),
        _ => return None,
    })
}

fn alert_name(alert: AlertDescription) -> Option<&'static str> {
    Some(match alert {
        AlertDescription::UnexpectedMessage => "SSLV3_ALERT_UNEXPECTED_MESSAGE",
        AlertDescription::BadRecordMac => "SSLV3_ALERT_BAD_RECORD_MAC",
        AlertDescription::HandshakeFailure => "SSLV3_ALERT_HANDSHAKE_FAILURE",
        AlertDescription::BadCertificate => "SSLV3_ALERT_BAD_CERTIFICATE",
        AlertDescription::UnsupportedCertificate => "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        AlertDescription::CertificateRevoked => "SSLV3_ALERT_CERTIFICATE_REVOKED",
        AlertDescription::CertificateExpired => "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        AlertDescription::CertificateUnknown => "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        AlertDescription::IllegalParameter => "SSLV3_ALERT_ILLEGAL_PARAMETER",
        AlertDescription::UnknownCA => "TLSV1_ALERT_UNKNOWN_CA",
        AlertDescription::AccessDenied => "TLSV1_ALERT_ACCESS_DENIED",
        AlertDescription::DecodeError => "TLSV1_ALERT_DECODE_ERROR",
        AlertDescription::DecryptError => "TLSV1_ALERT_DECRYPT_ERROR",
        AlertDescription::ProtocolVersion => "TLSV1_ALERT_PROTOCOL_VERSION",
        AlertDescription::InsufficientSecurity => "TLSV1_ALERT_INSUFFICIENT_SECURITY",
        AlertDescription::InternalError => "TLSV1_ALERT_INTERNAL_ERROR",
        AlertDescription::UnrecognisedName => "TLSV1_ALERT_UNRECOGNIZED_NAME",
        AlertDescription::NoApplicationProtocol => "TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
        AlertDescription::CertificateRequired => "TLSV1_ALERT_CERTIFICATE_REQUIRED",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use rustls::{AlertDescription, CertificateError, Error};

    use super::transport_failure;

    #[test]
    fn failures_read_as_in_envoy() {
        let of = |error: Error| transport_failure(&io::Error::other(error));
        assert_eq!(
            of(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
            "TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify_cert_failed:\
             _X509_verify_cert:_certificate_verification_error_at_depth_0:_unable_to_get_local_issuer_certificate:\
             TLS_error_end"
        );
        assert_eq!(
            of(Error::AlertReceived(AlertDescription::HandshakeFailure)),
            "TLS_error:|268436496:SSL_routines:OPENSSL_internal:SSLV3_ALERT_HANDSHAKE_FAILURE:TLS_error_end"
        );
        assert!(of(Error::DecryptError).starts_with("TLS_error:_"));
    }
}
