//! For tests: from YAML to a snapshot.

use std::sync::Arc;

use crate::proxy::ProxyClass;
use crate::snapshot::{Inputs, Snapshot, build};

/// The snapshot of these objects.
pub(crate) fn snapshot(yaml: &str) -> Arc<Snapshot> {
    let loaded = pilotage_config::load("test.yaml", yaml);
    assert!(!loaded.has_errors(), "{:?}", loaded.diagnostics);
    let objects = loaded.objects.into_iter().map(Arc::new).collect();
    build(&Inputs { objects, ..Inputs::default() }).0
}

/// A sidecar in `namespace` with these labels (`k=v`).
pub(crate) fn sidecar(namespace: &str, labels: &[&str]) -> ProxyClass {
    let labels = labels.iter().filter_map(|label| label.split_once('='));
    ProxyClass {
        namespace: namespace.into(),
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        ..ProxyClass::default()
    }
}

/// A Kubernetes service `name` in `namespace` with an HTTP port 80.
pub(crate) fn service(name: &str, namespace: &str) -> String {
    format!(
        "---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{clusterIP: 10.0.0.1, selector: {{app: {name}}}, ports: [{{port: 80, name: http}}]}}
"
    )
}

/// An object of Istio's networking API with this `spec` in flow style.
pub(crate) fn istio(kind: &str, name: &str, namespace: &str, spec: &str) -> String {
    format!(
        "---
apiVersion: networking.istio.io/v1
kind: {kind}
metadata: {{name: {name}, namespace: {namespace}}}
spec: {spec}
"
    )
}
