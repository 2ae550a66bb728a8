//! Rules as objects, and the services that they lead to.

use serde_json::{Value, json};

/// The services of all rules.
pub(crate) const WORLD: &str = r#"
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: backend, namespace: default}
spec:
  hosts: [backend.test]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints:
  - {address: 10.0.0.1, labels: {version: v1}}
  - {address: 10.0.0.2, labels: {version: v2}}
  - {address: 10.0.0.3, labels: {version: v3}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: backend, namespace: default}
spec:
  host: backend.test
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
  - {name: v3, labels: {version: v3}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: others, namespace: default}
spec:
  hosts: [other.test, dead.test, shadow.test, shade.test]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 10.0.0.4}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: empty, namespace: default}
spec:
  hosts: [empty.test]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
"#;

/// The host of the rules of that number.
pub(crate) fn host(number: usize) -> String {
    format!("v{number}.test")
}

/// The VirtualServices of `rules`, for the host of that number.
pub(crate) fn objects(number: usize, rules: &Value) -> Vec<Value> {
    let object = |name: String, spec: Value| {
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": name, "namespace": "default"}, "spec": spec,
        })
    };
    let mut root = rules["root"].clone();
    root["hosts"] = json!([host(number)]);
    for rule in root["http"].as_array_mut().into_iter().flatten() {
        if let Some(delegate) = rule.get_mut("delegate") {
            *delegate = json!({"name": format!("d{number}")});
        }
    }
    let mut all = vec![object(format!("v{number}"), root)];
    if let Some(delegate) = rules.get("delegate") {
        all.push(object(format!("d{number}"), delegate.clone()));
    }
    all
}

/// The same as texts.
pub(crate) fn yaml(number: usize, rules: &Value) -> String {
    let documents: Vec<String> = objects(number, rules).iter().map(Value::to_string).collect();
    documents.join("\n---\n")
}

/// Whether Istio would take the rules.
pub(crate) fn is_valid(rules: &Value) -> bool {
    let has_rules = |spec: &Value| spec["http"].as_array().is_some_and(|http| !http.is_empty());
    let delegates = rules.get("delegate").is_none_or(has_rules);
    delegates
        && has_rules(&rules["root"])
        && !pilotage_config::load("rules", &yaml(0, rules)).has_errors()
}
