//! `trafficPolicy.tls`: TLS towards a host.

use crate::message::{enumeration, message};

message! {
    /// TLS towards a host.
    pub struct ClientTlsSettings as "ClientTLSSettings" {
        /// Whether and how.
        pub mode: ClientTlsMode,
        /// The file with the client's certificates, for `MUTUAL`.
        pub client_certificate: String,
        /// The file with the client's key, for `MUTUAL`.
        pub private_key: String,
        /// The file with the authorities that sign the host's certificate.
        pub ca_certificates: String,
        /// The Secret that holds all of these.
        pub credential_name: String,
        /// Names of which the host's certificate needs to have one.
        pub subject_alt_names: Vec<String>,
        /// The server name to ask for.
        pub sni: String,
        /// Whether the host's certificate is not checked.
        pub insecure_skip_verify: Option<bool>,
        /// The file with revoked certificates.
        pub ca_crl: String,
    }
}

enumeration! {
    /// Whether and how to use TLS towards a host.
    pub enum ClientTlsMode as "ClientTLSSettings.TLSmode" {
        /// Not.
        #[default]
        Disable = 0 "DISABLE",
        /// With the host's certificate only.
        Simple = 1 "SIMPLE",
        /// With certificates on both sides.
        Mutual = 2 "MUTUAL",
        /// With the certificates of the mesh.
        IstioMutual = 3 "ISTIO_MUTUAL",
    }
}
