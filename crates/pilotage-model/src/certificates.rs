//! X.509 certificates, as far as tools judge them before anybody uses them. Who uses them checks more.

use pilotage_config::Timestamp;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Why a certificate cannot be used. The words follow the name of what holds it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// There is no PEM block.
    #[error("does not hold a certificate in PEM form")]
    NotPem,
    /// The block is something else.
    #[error("holds a PEM block that is not an X.509 certificate")]
    NotCertificate,
    /// Its time is over.
    #[error("holds a certificate that expired on {0}")]
    Expired(Timestamp),
    /// Its time has not come.
    #[error("holds a certificate that is not valid before {0}")]
    NotYet(Timestamp),
}

/// Checks the first certificate of a PEM text: that it can be read, and, if the time is known, that it is valid now.
///
/// # Errors
/// The first reason why not.
pub fn check(pem: &[u8], now: Option<Timestamp>) -> Result<(), CertificateError> {
    let block =
        Pem::iter_from_buffer(pem).next().and_then(Result::ok).ok_or(CertificateError::NotPem)?;
    let (_, certificate) =
        X509Certificate::from_der(&block.contents).map_err(|_| CertificateError::NotCertificate)?;
    let validity = certificate.validity();
    let time = |seconds| Timestamp { seconds, nanos: 0 };
    let (begin, end) =
        (time(validity.not_before.timestamp()), time(validity.not_after.timestamp()));
    match now {
        Some(now) if now > end => Err(CertificateError::Expired(end)),
        Some(now) if now < begin => Err(CertificateError::NotYet(begin)),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Valid in 2020 only.
    const OLD: &str = "-----BEGIN CERTIFICATE-----
MIIBIDCBx6ADAgECAgEHMAoGCCqGSM49BAMCMBoxGDAWBgNVBAMMD29sZC5leGFt
cGxlLmNvbTAeFw0yMDAxMDEwMDAwMDBaFw0yMTAxMDEwMDAwMDBaMBoxGDAWBgNV
BAMMD29sZC5leGFtcGxlLmNvbTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABK2C
jQbErotsJcWm/44pakf+sc1UZJ30oJe0dbYTDXvcycuWZ77aKrI9UsHEQUQ5cSPh
YrM6RAAJctYV06YXS98wCgYIKoZIzj0EAwIDSAAwRQIhAKJ5fCwwrtqMwwRczTEc
AwXiCv2KqYlsj4LvQlKCs9dUAiA1yp/xy+XSW+euCfctr/ZBaKmTMoCFFK83JsT9
MzqvsQ==
-----END CERTIFICATE-----
";

    fn at(time: &str) -> Result<(), CertificateError> {
        check(OLD.as_bytes(), Timestamp::parse(time))
    }

    #[test]
    fn certificates_have_their_time() {
        assert_eq!(at("2020-06-01T00:00:00Z"), Ok(()));
        assert_eq!(check(OLD.as_bytes(), None), Ok(()));
        let end = Timestamp::parse("2021-01-01T00:00:00Z").unwrap();
        assert_eq!(at("2021-01-01T00:00:01Z"), Err(CertificateError::Expired(end)));
        let begin = Timestamp::parse("2020-01-01T00:00:00Z").unwrap();
        assert_eq!(at("2019-12-31T23:59:59Z"), Err(CertificateError::NotYet(begin)));
    }

    #[test]
    fn what_is_no_certificate_is_said_to_be_none() {
        assert_eq!(check(b"hello", None), Err(CertificateError::NotPem));
        let key = OLD.replace("MIIBIDCBx6AD", "AAAAAAAAAAAA");
        assert_eq!(check(key.as_bytes(), None), Err(CertificateError::NotCertificate));
    }
}
