//! From where certificates and conditions are named to what rustls uses.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use pilotage_engine::Tables;
use pilotage_engine::secrets::Secret;
use pilotage_engine::tls::{
    Authorities, CertificatePair, CertificateSource, Data, TlsSettings, Validation,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use webpki::{CertRevocationList, OwnedCertRevocationList, anchor_from_trusted_cert};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::files::{Content, Files};
use super::pem;
use super::verify::{Anchors, Trust};

/// The prefix of a secret that is a certificate and a key in files: `file-cert:CERTIFICATE~KEY`.
const FILE_PAIR: &str = "file-cert:";
/// The prefix of a secret that is a file with authorities.
const FILE_ROOT: &str = "file-root:";
/// The authorities of the operating system, in the place of a file's name.
const SYSTEM: &str = "system";

/// Something that a configuration is made from. A configuration is made anew when one of them changes.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Secret(Option<Arc<Secret>>),
    File(Content),
}

impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Secret(Some(one)), Self::Secret(Some(other))) => Arc::ptr_eq(one, other),
            (Self::Secret(None), Self::Secret(None)) => true,
            (Self::File(one), Self::File(other)) => one == other,
            _ => false,
        }
    }
}

/// Secrets and files.
#[derive(Debug, Default)]
pub(super) struct Material {
    pub(super) files: Files,
    /// Secrets whose names say which files they are.
    of_files: BTreeMap<Arc<str>, Arc<Secret>>,
}

impl Material {
    /// Everything that `settings` are made from, as it is now.
    pub(super) fn parts(&mut self, settings: &TlsSettings, tables: &Tables) -> Vec<Part> {
        let mut parts = Vec::new();
        for source in &settings.certificates {
            match source {
                CertificateSource::Inline(pair) => self.pair_parts(pair, &mut parts),
                CertificateSource::Secret(name) => self.secret_parts(name, tables, &mut parts),
            }
        }
        if let Some(validation) = &settings.validation {
            self.validation_parts(&validation.own, &mut parts);
            if let Some(name) = &validation.secret {
                self.secret_parts(name, tables, &mut parts);
            }
        }
        parts
    }

    fn secret_parts(&mut self, name: &Arc<str>, tables: &Tables, parts: &mut Vec<Part>) {
        let secret = self.secret(name, tables);
        match secret.as_deref() {
            Some(Secret::Certificate(pair)) => self.pair_parts(pair, parts),
            Some(Secret::Validation(validation)) => self.validation_parts(validation, parts),
            None => {}
        }
        parts.push(Part::Secret(secret));
    }

    fn pair_parts(&mut self, pair: &CertificatePair, parts: &mut Vec<Part>) {
        self.file_part(&pair.chain, parts);
        self.file_part(&pair.key, parts);
    }

    fn validation_parts(&mut self, validation: &Validation, parts: &mut Vec<Part>) {
        if let Authorities::Pem(data) = &validation.authorities {
            self.file_part(data, parts);
        }
        if let Some(data) = &validation.revoked {
            self.file_part(data, parts);
        }
    }

    fn file_part(&mut self, data: &Data, parts: &mut Vec<Part>) {
        if let Data::File(path) = data {
            parts.push(Part::File(self.files.content(path)));
        }
    }

    /// The secret called `name`: one that was delivered, or one that names files.
    fn secret(&mut self, name: &Arc<str>, tables: &Tables) -> Option<Arc<Secret>> {
        if let Some(secret) = tables.secret(name).or_else(|| self.of_files.get(name)) {
            return Some(Arc::clone(secret));
        }
        let file = |path: &str| Data::File(path.into());
        let secret = if let Some((chain, key)) =
            name.strip_prefix(FILE_PAIR).and_then(|paths| paths.split_once('~'))
        {
            Secret::Certificate(Arc::new(CertificatePair { chain: file(chain), key: file(key) }))
        } else {
            let authorities = match name.strip_prefix(FILE_ROOT)? {
                SYSTEM => Authorities::System,
                path => Authorities::Pem(file(path)),
            };
            Secret::Validation(Arc::new(Validation { authorities, ..Validation::default() }))
        };
        let secret = Arc::new(secret);
        self.of_files.insert(Arc::clone(name), Arc::clone(&secret));
        Some(secret)
    }

    /// The certificate from `source`, and what should be known of it although it can be used.
    pub(super) fn certificate(
        &mut self,
        source: &CertificateSource,
        tables: &Tables,
        provider: &CryptoProvider,
    ) -> Result<(Arc<CertifiedKey>, Option<String>), String> {
        let (name, pair) = match source {
            CertificateSource::Inline(pair) => ("the certificate".to_owned(), Arc::clone(pair)),
            CertificateSource::Secret(name) => match self.secret(name, tables).as_deref() {
                Some(Secret::Certificate(pair)) => (name.to_string(), Arc::clone(pair)),
                Some(Secret::Validation(_)) => return Err(format!("{name} holds no certificate")),
                None => return Err(missing(name)),
            },
        };
        let chain = self.read(&pair.chain, "certificate", &name)?;
        let chain = pem::certificates(&chain).map_err(|e| describe(&pair.chain, &name, &e))?;
        let note = chain.first().and_then(out_of_time).map(|when| format!("{name}: {when}"));
        let key = self.read(&pair.key, "key", &name)?;
        let key = pem::key(&key).map_err(|e| describe(&pair.key, &name, &e))?;
        let certified =
            CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => {
                    format!("{name}: the key does not belong to the certificate")
                }
                error => format!("{name}: {error}"),
            })?;
        Ok((Arc::new(certified), note))
    }

    /// What the other side's certificate has to satisfy. `None`: it is not looked at.
    pub(super) fn trust(
        &mut self,
        settings: &TlsSettings,
        tables: &Tables,
    ) -> Result<Option<Arc<Trust>>, String> {
        let Some(source) = &settings.validation else { return Ok(None) };
        let conditions = match &source.secret {
            None => source.own.clone(),
            Some(name) => match self.secret(name, tables).as_deref() {
                Some(Secret::Validation(validation)) => source.own.merged(validation),
                Some(Secret::Certificate(_)) => return Err(format!("{name} holds no authorities")),
                None => return Err(missing(name)),
            },
        };
        conditions.check().map_err(|error| error.to_string())?;
        if conditions.is_empty() {
            return Ok(None);
        }
        let name = source.secret.as_deref().unwrap_or("the validation context");
        let anchors = match &conditions.authorities {
            Authorities::None => None,
            Authorities::System => Some(system_anchors()?),
            Authorities::Pem(data) => {
                let bytes = self.read(data, "authorities", name)?;
                let found = pem::certificates(&bytes).map_err(|e| describe(data, name, &e))?;
                Some(anchors(found).map_err(|e| describe(data, name, &e))?)
            }
        };
        let mut revocations = Vec::new();
        if let Some(data) = &conditions.revoked {
            let bytes = self.read(data, "revoked certificates", name)?;
            for list in pem::revocations(&bytes).map_err(|e| describe(data, name, &e))? {
                let list = OwnedCertRevocationList::from_der(&list)
                    .map_err(|error| describe(data, name, &error.to_string()))?;
                revocations.push(CertRevocationList::Owned(list));
            }
        }
        Ok(Some(Arc::new(Trust { conditions, anchors, revocations })))
    }

    fn read(&mut self, data: &Data, what: &str, name: &str) -> Result<Arc<[u8]>, String> {
        match data {
            Data::Inline(bytes) => Ok(Arc::clone(bytes)),
            Data::File(path) => {
                self.files.content(path).map_err(|error| format!("{name}: {what} {path}: {error}"))
            }
        }
    }
}

/// Why a secret is not there.
fn missing(name: &str) -> String {
    match name {
        "default" | "ROOTCA" => {
            "mutual TLS of the mesh (ISTIO_MUTUAL) needs an identity of the workload, which this \
                                 proxy does not have yet"
                .to_owned()
        }
        _ => format!("{name}: there is no such secret, or it lacks what is wanted of it"),
    }
}

fn describe(data: &Data, name: &str, problem: &str) -> String {
    match data {
        Data::Inline(_) => format!("{name}: {problem}"),
        Data::File(path) => format!("{name}: {path}: {problem}"),
    }
}

fn anchors(certificates: Vec<CertificateDer<'static>>) -> Result<Anchors, String> {
    let mut anchors = Vec::new();
    for certificate in &certificates {
        let anchor = anchor_from_trusted_cert(certificate).map_err(|error| error.to_string())?;
        anchors.push(anchor.to_owned());
    }
    Ok(Anchors { certificates, anchors })
}

/// The authorities of the operating system, read once.
fn system_anchors() -> Result<Anchors, String> {
    static FOUND: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    let found = FOUND.get_or_init(|| rustls_native_certs::load_native_certs().certs);
    if found.is_empty() {
        return Err("the operating system has no list of authorities".to_owned());
    }
    // A certificate that cannot be read vouches for nothing; the others do.
    let anchors =
        found.iter().filter_map(|own| Some(anchor_from_trusted_cert(own).ok()?.to_owned()));
    Ok(Anchors { anchors: anchors.collect(), certificates: Vec::new() })
}

/// Whether a certificate is used before or after its time.
fn out_of_time(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let now = rustls::pki_types::UnixTime::now();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = certificate.validity();
    if now > validity.not_after.timestamp() {
        return Some(format!("the certificate has expired on {}", validity.not_after));
    }
    (now < validity.not_before.timestamp())
        .then(|| format!("the certificate is not valid before {}", validity.not_before))
}
