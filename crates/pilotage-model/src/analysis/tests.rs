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

const CART: &str = "
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {ports: [{name: http, port: 80}, {name: grpc, port: 7070}]}
";

fn virtual_service(spec: &str) -> String {
    format!(
        "{CART}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: v, namespace: shop}}
spec: {spec}
"
    )
}
