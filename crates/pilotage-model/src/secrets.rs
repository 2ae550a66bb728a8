//! Secrets and ConfigMaps with certificates, as far as TLS uses them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use pilotage_config::kubernetes::{Authorities, Secret};
use pilotage_config::object::{Kind, Object};

/// Names of a certificate, its key, the authorities and the revoked certificates: first those of generic secrets,
/// which win, then those of `kubernetes.io/tls`.
const NAMES: [Names; 2] = [
    Names { certificate: "cert", key: "key", authorities: "cacert", revoked: "crl" },
    Names { certificate: "tls.crt", key: "tls.key", authorities: "ca.crt", revoked: "ca.crl" },
];

struct Names {
    certificate: &'static str,
    key: &'static str,
    authorities: &'static str,
    revoked: &'static str,
}

/// The secrets of one namespace by name.
pub type Secrets = BTreeMap<Arc<str>, Arc<TlsSecret>>;

/// Authorities in ConfigMaps, by namespace and name, as `namespace/name`.
pub type ConfigMaps = BTreeMap<Arc<str>, Authorities>;

/// What a Secret has for TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TlsSecret {
    /// A certificate with those that lead to its authority, and its key; both as PEM.
    pub certificate: Option<(Pem, Pem)>,
    /// Authorities as PEM, and a list of revoked certificates.
    pub authorities: Option<(Pem, Option<Pem>)>,
}

/// A value of a Secret. It never shows up in messages.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Pem(pub Vec<u8>);

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} secret bytes>", self.0.len())
    }
}

impl TlsSecret {
    pub(crate) fn new(secret: &Secret) -> Self {
        let value = |name: &str| {
            secret.value(name).filter(|bytes| !bytes.is_empty()).map(|bytes| Pem(bytes.to_vec()))
        };
        Self {
            certificate: NAMES
                .iter()
                .find_map(|names| Some((value(names.certificate)?, value(names.key)?))),
            authorities: NAMES
                .iter()
                .find_map(|names| Some((value(names.authorities)?, value(names.revoked)))),
        }
    }
}

/// The secrets of `namespace` that TLS could use.
pub(crate) fn of_namespace(objects: &[Arc<Object>], namespace: &str) -> Secrets {
    let secret = |object: &Arc<Object>| {
        let Kind::Secret(secret) = &object.body else { return None };
        if object.namespace() != namespace {
            return None;
        }
        let secret = TlsSecret::new(secret);
        (secret != TlsSecret::default()).then(|| (object.name().into(), Arc::new(secret)))
    };
    objects.iter().filter_map(secret).collect()
}

/// The ConfigMaps with authorities, of all namespaces: they are no secret.
pub(crate) fn config_maps(objects: &[Arc<Object>]) -> ConfigMaps {
    let map = |object: &Arc<Object>| {
        let Kind::ConfigMap(map) = &object.body else { return None };
        let name = format!("{}/{}", object.namespace(), object.name());
        Some((name.into(), map.authorities.clone()?))
    };
    objects.iter().filter_map(map).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Pem, of_namespace};

    #[test]
    fn both_forms_of_secrets_are_read_and_values_stay_unseen() {
        let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: shop}\n\
                    stringData: {tls.crt: C, tls.key: K, ca.crt: A, ca.crl: R}\n---\n\
                    apiVersion: v1\nkind: Secret\nmetadata: {name: b, namespace: shop}\n\
                    stringData: {cert: c, key: k, cacert: a, tls.crt: X}\n---\n\
                    apiVersion: v1\nkind: Secret\nmetadata: {name: c, namespace: shop}\n\
                    stringData: {tls.crt: C}\n---\n\
                    apiVersion: v1\nkind: Secret\nmetadata: {name: d, namespace: other}\n\
                    stringData: {tls.crt: C, tls.key: K}\n";
        let loaded = pilotage_config::load("a.yaml", text);
        let objects: Vec<_> = loaded.objects.into_iter().map(Arc::new).collect();
        let secrets = of_namespace(&objects, "shop");
        assert_eq!(secrets.keys().map(|name| &**name).collect::<Vec<_>>(), ["a", "b"]);
        let pem = |text: &str| Pem(text.into());
        assert_eq!(secrets["a"].certificate, Some((pem("C"), pem("K"))));
        assert_eq!(secrets["a"].authorities, Some((pem("A"), Some(pem("R")))));
        assert_eq!(secrets["b"].certificate, Some((pem("c"), pem("k"))));
        assert_eq!(secrets["b"].authorities, Some((pem("a"), None)));
        assert_eq!(format!("{:?}", secrets["b"].authorities), "Some((<1 secret bytes>, None))");
    }
}
