//! Certificates that are taken back.

use std::path::Path;

use rcgen::{
    CertificateParams, CertificateRevocationListParams, DnType, KeyIdMethod, KeyPair,
    RevokedCertParams, SerialNumber, date_time_ymd,
};

use crate::tls::{Authority, Openssl, Shown, ask, authority, wrote};

/// The serial number of the certificate that is revoked.
const REVOKED: u64 = 4711;

/// Writes a certificate, its key, and a list that revokes it: `NAME.crt`, `NAME.key` and `list.crl`.
pub(crate) fn revoked(ca: &Authority, folder: &Path, name: &str) {
    let mut params = CertificateParams::new(vec![format!("{name}.test")]).unwrap();
    params.serial_number = Some(SerialNumber::from(REVOKED));
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, ca).unwrap().pem();
    Shown { certificate, key: key.serialize_pem() }.write(folder, name);
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(4000, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: vec![RevokedCertParams {
            serial_number: SerialNumber::from(REVOKED),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    std::fs::write(folder.join("list.crl"), list.signed_by(ca).unwrap().pem().unwrap()).unwrap();
}

#[test]
fn a_server_with_a_revoked_certificate_gets_no_request() {
    let ca = authority();
    let (good, bad) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pem = wrote(good.path(), &ca).display().to_string();
    Shown::new(&ca, "server.test").write(good.path(), "server");
    revoked(&ca, bad.path(), "server");
    let list = bad.path().join("list.crl").display().to_string();
    let fields = "mode: SIMPLE, sni: server.test, subjectAltNames: [server.test]";
    for (folder, more, wanted) in [
        (&good, format!(", caCrl: {list}"), 200),
        (&bad, String::new(), 200),
        (&bad, format!(", caCrl: {list}"), 503),
    ] {
        let server = Openssl::start(folder.path(), &[]);
        let (status, body) = ask(server.port, &format!("{fields}, caCertificates: {pem}{more}"));
        assert_eq!(status, wanted, "{more}: {body}");
    }
}
