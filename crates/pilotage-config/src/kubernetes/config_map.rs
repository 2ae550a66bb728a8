//! ConfigMap, only the one that holds the settings of the mesh.

use crate::span::Span;

/// The ConfigMap named `istio`: the text of its MeshConfig and where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConfigMap {
    /// The YAML text under `data.mesh`.
    pub mesh: Option<String>,
    /// Where that text stands in the source. Of a block of text this is its first line, so that
    /// line `n` of the text is line `mesh_span.line + n - 1` of the source.
    pub mesh_span: Span,
}
