mod gateways;
mod virtual_services;
mod workloads;

use pilotage_config::load;

use super::*;

/// Code and message of every problem.
fn problems(yaml: &str) -> Vec<(&'static str, String)> {
    let loaded = load("test.yaml", yaml);
    let objects: Vec<&Object> = loaded.objects.iter().chain(&loaded.broken).collect();
    assert!(!objects.is_empty());
    analyze(&objects).into_iter().map(|problem| (problem.code.id(), problem.message)).collect()
}

/// The codes of a text.
fn told(yaml: &str) -> Vec<&'static str> {
    problems(yaml).into_iter().map(|(code, _)| code).collect()
}

/// The codes of Pilotage's own among those of a text.
fn own(yaml: &str) -> Vec<&'static str> {
    told(yaml).into_iter().filter(|code| code.starts_with("PIL")).collect()
}

/// An object of the namespace `shop`, as a document of its own.
fn object(kind: &str, name: &str, spec: &str) -> String {
    let version = match kind {
        "Service" => "v1",
        "Deployment" => "apps/v1",
        "RequestAuthentication" => "security.istio.io/v1",
        _ => "networking.istio.io/v1",
    };
    format!(
        "---
apiVersion: {version}
kind: {kind}
metadata: {{name: {name}, namespace: shop}}
spec: {spec}
"
    )
}

/// A pod of the namespace `shop`.
fn pod(name: &str, labels: &str) -> String {
    format!(
        "---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: shop, labels: {{{labels}}}}}
"
    )
}

const CART: &str = "
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {ports: [{name: http, port: 80}, {name: grpc, port: 7070}]}
";

fn virtual_service(spec: &str) -> String {
    format!("{CART}{}", object("VirtualService", "v", spec))
}
