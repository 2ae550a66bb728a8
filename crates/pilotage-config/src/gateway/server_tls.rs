//! `servers[].tls`: TLS towards clients.

use crate::message::{enumeration, message};

message! {
    /// TLS towards clients.
    pub struct ServerTlsSettings as "ServerTLSSettings" {
        /// Whether plain requests are sent to https.
        pub https_redirect: bool,
        /// Whether and how TLS ends here.
        pub mode: ServerTlsMode,
        /// The file with the server's certificates.
        pub server_certificate: String,
        /// The file with the server's key.
        pub private_key: String,
        /// The file with the authorities that sign clients' certificates.
        pub ca_certificates: String,
        /// The file with revoked certificates.
        pub ca_crl: String,
        /// The Secret that holds all of these.
        pub credential_name: String,
        /// Up to two Secrets, for RSA and ECDSA.
        pub credential_names: Vec<String>,
        /// The Secret or ConfigMap with the authorities that sign clients' certificates.
        pub ca_cert_credential_name: String,
        /// Up to two pairs of files, for RSA and ECDSA.
        pub tls_certificates: Vec<TlsCertificate>,
        /// Names of which a client's certificate needs to have one.
        pub subject_alt_names: Vec<String>,
        /// Hashes of the public keys of accepted clients, in base64.
        pub verify_certificate_spki: Vec<String>,
        /// Hashes of the certificates of accepted clients, in hexadecimal.
        pub verify_certificate_hash: Vec<String>,
        /// The oldest version of TLS.
        pub min_protocol_version: TlsProtocol,
        /// The newest version of TLS.
        pub max_protocol_version: TlsProtocol,
        /// Ciphers for TLS up to 1.2. None means the default.
        pub cipher_suites: Vec<String>,
        /// Curves for the key exchange. None means the default.
        pub ecdh_curves: Vec<String>,
        /// Whether clients with certificates of unknown authorities are let in, for `MUTUAL`.
        pub insecure_skip_verify: Option<bool>,
    }
}

message! {
    /// A certificate in files.
    pub struct TlsCertificate as "ServerTLSSettings.TLSCertificate" {
        /// The file with the server's certificates.
        pub server_certificate: String,
        /// The file with the server's key.
        pub private_key: String,
        /// The file with the authorities that sign clients' certificates.
        pub ca_certificates: String,
    }
}

enumeration! {
    /// Whether and how TLS ends at a gateway.
    pub enum ServerTlsMode as "ServerTLSSettings.TLSmode" {
        /// It goes on to the destination, which VirtualServices choose by server name.
        #[default]
        Passthrough = 0 "PASSTHROUGH",
        /// It ends here; clients show no certificate.
        Simple = 1 "SIMPLE",
        /// It ends here; clients show a certificate.
        Mutual = 2 "MUTUAL",
        /// It goes on to the destination that the server name spells out.
        AutoPassthrough = 3 "AUTO_PASSTHROUGH",
        /// It ends here; both sides show certificates of the mesh.
        IstioMutual = 4 "ISTIO_MUTUAL",
        /// It ends here; clients may show a certificate.
        OptionalMutual = 5 "OPTIONAL_MUTUAL",
    }
}

enumeration! {
    /// Versions of TLS.
    pub enum TlsProtocol as "ServerTLSSettings.TLSProtocol" {
        /// As the proxy has it: 1.2 to 1.3.
        #[default]
        TlsAuto = 0 "TLS_AUTO",
        /// TLS 1.0.
        TlsV10 = 1 "TLSV1_0",
        /// TLS 1.1.
        TlsV11 = 2 "TLSV1_1",
        /// TLS 1.2.
        TlsV12 = 3 "TLSV1_2",
        /// TLS 1.3.
        TlsV13 = 4 "TLSV1_3",
    }
}
