//! ConfigMap, only the one that holds the settings of the mesh.

use crate::span::Span;

/// The ConfigMap named `istio`: the text of its MeshConfig and where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConfigMap {
    /// The YAML text under `data.mesh`.
    pub mesh: Option<String>,
    /// Where that text stands in the source.
    pub mesh_span: Span,
}
