//! For tests: from YAML to what a proxy sees.

use std::sync::Arc;

use pilotage_config::mesh::MeshConfig;
use pilotage_model::{Inputs, ProxyClass, ProxyKind, ProxyView, build, view};
use pilotage_proto::envoy::config::route::v3::Route;
use pilotage_proto::envoy::config::route::v3::route::Action;
use pilotage_proto::envoy::config::route::v3::route_action::ClusterSpecifier;

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

/// The virtual hosts of a route configuration, each with its domains and its routes as one line of text: name, match
/// and what becomes of the request.
pub(crate) fn virtual_hosts(view: &ProxyView, name: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let set = crate::resources(view);
    let config = set.routes.get(name).unwrap_or_else(|| panic!("no route configuration {name}"));
    let hosts = config.virtual_hosts.iter();
    hosts.map(|host| (host.domains.clone(), host.routes.iter().map(line).collect())).collect()
}

/// The routes for requests to `domain`.
pub(crate) fn routes_of(view: &ProxyView, name: &str, domain: &str) -> Vec<String> {
    let hosts = virtual_hosts(view, name);
    let found = hosts.into_iter().find(|(domains, _)| domains.iter().any(|known| known == domain));
    found.map(|(_, routes)| routes).unwrap_or_default()
}

fn line(route: &Route) -> String {
    let path = route.r#match.as_ref().map(crate::http_match::path_for_traces).unwrap_or_default();
    let target = match &route.action {
        Some(Action::Route(action)) => match &action.cluster_specifier {
            Some(ClusterSpecifier::Cluster(cluster)) => cluster.clone(),
            Some(ClusterSpecifier::WeightedClusters(weighted)) => {
                let clusters = weighted.clusters.iter();
                let parts =
                    clusters.map(|c| format!("{} {}", c.weight.unwrap_or_default(), c.name));
                parts.collect::<Vec<_>>().join(" + ")
            }
            _ => "?".to_owned(),
        },
        Some(Action::DirectResponse(answer)) => answer.status.to_string(),
        Some(Action::Redirect(_)) => "redirect".to_owned(),
        None => "nothing".to_owned(),
    };
    format!("{} {path} -> {target}", route.name).trim_start().to_owned()
}
