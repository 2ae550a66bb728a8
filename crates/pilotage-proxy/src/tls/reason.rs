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
            io::ErrorKind::UnexpectedEof => "TLS_error: the connection was closed".to_owned(),
            _ => format!("TLS_error: {error}"),
        };
    };
    match named(tls) {
        Some((number, name)) => {
            let number = SSL_LIBRARY + number;
            format!("TLS_error:|{number}:SSL routines:OPENSSL_internal:{name}:TLS_error_end")
        }
        None => format!("TLS_error: {tls}"),
    }
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
            "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:TLS_error_end"
        );
        assert_eq!(
            of(Error::AlertReceived(AlertDescription::HandshakeFailure)),
            "TLS_error:|268436496:SSL routines:OPENSSL_internal:SSLV3_ALERT_HANDSHAKE_FAILURE:TLS_error_end"
        );
        assert!(of(Error::DecryptError).starts_with("TLS_error: "));
    }
}
