//! ConfigMap: the one that holds the settings of the mesh, and those with authorities for TLS.

use crate::span::Span;
use crate::yaml::Node;

/// What a ConfigMap holds that counts here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConfigMap {
    /// The YAML text under `data.mesh` of the ConfigMap named `istio`.
    pub mesh: Option<String>,
    /// Where that text stands in the source. Of a block of text this is its first line, so that
    /// line `n` of the text is line `mesh_span.line + n - 1` of the source.
    pub mesh_span: Span,
    /// What `configmap://namespace/name` in a credential name means.
    pub authorities: Option<Authorities>,
}

/// Authorities that sign certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Authorities {
    /// Their certificates as PEM, under `cacert` or `ca.crt`.
    pub certificates: String,
    /// A list of revoked certificates as PEM, under `crl` or `ca.crl`.
    pub revoked: Option<String>,
}

impl ConfigMap {
    /// Reads the object `node`. `None`: there is nothing in it that counts.
    pub(crate) fn read(node: &Node) -> Option<Self> {
        let data = node.get("data");
        let value = |name: &str| data.and_then(|data| data.get(name));
        let name = node.get("metadata").and_then(|meta| meta.get("name")).and_then(Node::as_str);
        let mesh = value("mesh").filter(|_| name == Some(MESH));
        let text = |name: &str| {
            let text = value(name).and_then(Node::as_str).filter(|text| !text.is_empty());
            text.map(str::to_owned)
        };
        let authorities = |(certificates, revoked): (&str, &str)| {
            Some(Authorities { certificates: text(certificates)?, revoked: text(revoked) })
        };
        let read = Self {
            mesh: mesh.and_then(Node::as_str).map(str::to_owned),
            mesh_span: mesh.map(|mesh| mesh.span).unwrap_or_default(),
            authorities: AUTHORITIES.into_iter().find_map(authorities),
        };
        (name == Some(MESH) || read.authorities.is_some()).then_some(read)
    }
}

/// Name of the ConfigMap with the settings of the mesh.
const MESH: &str = "istio";
/// Where authorities and lists of revoked certificates stand, the first that is there counts.
const AUTHORITIES: [(&str, &str); 2] = [("cacert", "crl"), ("ca.crt", "ca.crl")];
