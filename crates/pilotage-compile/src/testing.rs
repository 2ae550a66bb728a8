//! For tests: from YAML to what a proxy sees.

use std::sync::Arc;

use pilotage_config::mesh::MeshConfig;
use pilotage_model::{Inputs, ProxyClass, ProxyKind, ProxyView, build, view};

/// What `proxy` sees of these objects.
pub(crate) fn given(yaml: &str, proxy: &ProxyClass) -> Arc<ProxyView> {
    given_mesh("", yaml, proxy)
}

/// What `proxy` sees of these objects under these settings of the mesh.
pub(crate) fn given_mesh(mesh: &str, yaml: &str, proxy: &ProxyClass) -> Arc<ProxyView> {
    let loaded = pilotage_config::load("test.yaml", yaml);
    assert!(!loaded.has_errors(), "{:?}", loaded.diagnostics);
    let mesh = if mesh.is_empty() {
        MeshConfig::default()
    } else {
        let (mesh, problems) = pilotage_config::load_mesh_config("mesh.yaml", mesh);
        assert!(problems.is_empty(), "{problems:?}");
        mesh
    };
    let objects = loaded.objects.into_iter().map(Arc::new).collect();
    view(&build(&Inputs { objects, mesh }).0, proxy)
}

/// A sidecar in `namespace` with this address.
pub(crate) fn sidecar(namespace: &str, ip: &str) -> ProxyClass {
    ProxyClass {
        namespace: namespace.into(),
        addresses: vec![ip.parse().unwrap()],
        ..ProxyClass::default()
    }
}

/// A gateway in `istio-system` with the label `istio: ingressgateway`.
pub(crate) fn gateway() -> ProxyClass {
    ProxyClass {
        kind: ProxyKind::Gateway,
        labels: [("istio".to_owned(), "ingressgateway".to_owned())].into(),
        ..sidecar("istio-system", "10.1.8.1")
    }
}
