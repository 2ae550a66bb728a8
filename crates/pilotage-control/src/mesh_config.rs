//! The settings of the mesh, out of the ConfigMap `istio`.

use pilotage_config::mesh::MeshConfig;
use pilotage_config::{Diagnostic, Kind, load_mesh_config};

use crate::store::Objects;

/// Where Istio is installed, and so where its ConfigMap counts most.
const ISTIO_NAMESPACE: &str = "istio-system";

/// The settings that the ConfigMap `istio` holds: that of `istio-system`, else the first one; without any, Istio's
/// defaults.
#[must_use]
pub(crate) fn mesh_config(objects: &Objects) -> (MeshConfig, Vec<Diagnostic>) {
    let maps = objects.values().filter_map(|object| match &object.body {
        Kind::ConfigMap(map) => map.mesh.as_deref().map(|text| (object, text)),
        _ => None,
    });
    // `false` sorts first, and of equals the first is taken.
    let Some((object, text)) = maps.min_by_key(|(object, _)| object.namespace() != ISTIO_NAMESPACE)
    else {
        return (MeshConfig::default(), Vec::new());
    };
    let source =
        format!("{} (ConfigMap {}/{})", object.source.file, object.namespace(), object.name());
    load_mesh_config(&source, text)
}
