//! Texts and the objects that they hold.

use super::{LoadOptions, Severity, load, load_mesh_config, load_with};
use crate::duration::Duration;
use crate::mesh::{MeshConfig, MeshOutboundTrafficMode};
use crate::object::Kind;

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\n";

#[test]
fn the_default_namespace_goes_to_kinds_that_need_one() {
    let text = format!("{SERVICE}---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: a}}\n");
    let options = LoadOptions { default_namespace: "mine".to_owned(), ..LoadOptions::default() };
    let loaded = load_with("x", &text, &options);
    let namespaces: Vec<_> = loaded.objects.iter().map(|o| o.meta.namespace.clone()).collect();
    assert_eq!(namespaces, [Some("mine".to_owned()), None]);
}

#[test]
fn items_of_a_list_are_objects_with_places_of_their_own() {
    let text = "\
kind: List
apiVersion: v1
items:
- apiVersion: v1
  kind: Service
  metadata: {name: a}
- apiVersion: v1
  kind: Job
  metadata: {name: b}
- apiVersion: v1
  kind: Service
  metadata: {name: c}
  spec: {ports: [{port: 80}]}
";
    let loaded = load("x", text);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let [first, second] = loaded.objects.as_slice() else { panic!("two services") };
    assert_eq!((first.source.item, first.source.span.line), (Some(0), 4));
    assert_eq!((second.source.item, second.source.span.line), (Some(2), 10));
    assert_eq!(second.spans.key(&"spec.ports[0].port".into()).unwrap().line, 13);
    assert_eq!(loaded.passed_over.kinds().collect::<Vec<_>>(), [("Job", 1)]);
    let summary = loaded.passed_over.summary().unwrap();
    assert_eq!(summary, "passed over: 1 Job");
}

#[test]
fn kinds_of_other_groups_with_the_same_name_are_passed_over() {
    let text = "\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: a}
---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: b}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
";
    let loaded = load("x", text);
    assert!(loaded.objects.is_empty());
    assert_eq!(loaded.passed_over.total(), 3);
    // The first of them would change traffic.
    let found: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("x:2:7: warning[PIL0011]"), "{found:?}");
}

#[test]
fn fields_of_kubernetes_that_mean_nothing_here_are_skipped_and_the_rest_is_checked() {
    let text = format!("{SERVICE}spec: {{healthCheckNodePort: 1, ports: [{{port: http}}]}}\n");
    let loaded = load("x", &text);
    let found: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("spec.ports[0].port"), "{found:?}");
}

#[test]
fn unknown_fields_of_accepted_objects_need_not_be_errors() {
    let text = "\
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: a, lables: {x: y}}
spec: {egress: [{hosts: [./*]}], futureField: {}}
";
    assert_eq!(load("x", text).objects.len(), 0);
    let options = LoadOptions { unknown_fields: Severity::Warning, ..LoadOptions::default() };
    let loaded = load_with("x", text, &options);
    assert_eq!((loaded.objects.len(), loaded.diagnostics.len()), (1, 2));
    assert!(!loaded.has_errors());
}

#[test]
fn metadata_that_only_kubernetes_uses_is_no_unknown_field() {
    let text = "\
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata:
  name: a
  creationTimestamp: \"2026-01-02T03:04:05Z\"
  uid: 123e4567-e89b
  resourceVersion: \"17\"
  generation: 2
  managedFields: [{manager: kubectl}]
  finalizers: []
  ownerReferences: [{apiVersion: v1, kind: X, name: b, uid: z, blockOwnerDeletion: true}]
spec: {egress: [{hosts: [./*]}]}
status: {conditions: []}
";
    let loaded = load("x", text);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let meta = &loaded.objects[0].meta;
    assert_eq!(meta.creation_timestamp.unwrap().to_string(), "2026-01-02T03:04:05Z");
    assert_eq!((meta.generation, meta.resource_version.as_str()), (2, "17"));
}

#[test]
fn secrets_are_read_and_never_shown() {
    let text = "\
apiVersion: v1
kind: Secret
metadata: {name: a}
type: kubernetes.io/tls
data: {tls.key: aHVzaA==}
stringData: {other: quiet}
";
    let loaded = load("x", text);
    let object = &loaded.objects[0];
    let Kind::Secret(secret) = &object.body else { panic!("a secret") };
    assert_eq!(secret.value("tls.key"), Some(&b"hush"[..]));
    assert_eq!(secret.value("other"), Some(&b"quiet"[..]));
    let shown = format!("{object:?}");
    assert!(!shown.contains("hush") && !shown.contains("aHVz") && !shown.contains("quiet"));
}

#[test]
fn the_settings_of_the_mesh_in_their_config_map_keep_their_text() {
    let text = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
    connectTimeout: 3s
";
    let loaded = load("x", text);
    let Kind::ConfigMap(map) = &loaded.objects[0].body else { panic!("a config map") };
    assert_eq!(map.mesh.as_deref(), Some("connectTimeout: 3s\n"));
    assert_eq!(map.mesh_span.line, 6);
    let (mesh, problems) = load_mesh_config("x", map.mesh.as_deref().unwrap());
    assert_eq!((mesh.connect_timeout, problems), (Some(Duration::from_secs(3)), vec![]));
}

#[test]
fn authorities_in_config_maps_are_kept_and_their_other_values_are_not_looked_at() {
    let map = |name: &str, data: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{{data}}}\n---\n"
        )
    };
    let text = map("both", "mesh: x, ca.crt: B, cacert: A, ca.crl: R")
        + &map("one", "ca.crt: C, ca.crl: R")
        + &map("empty", "ca.crt: ''")
        + &map("other", "mesh: x, tls.crt: D");
    let loaded = load("x", &text);
    assert_eq!((loaded.passed_over.total(), loaded.diagnostics.len()), (2, 0));
    let maps = loaded.objects.iter().map(|object| {
        let Kind::ConfigMap(map) = &object.body else { panic!("a config map") };
        let authorities = map.authorities.as_ref().unwrap();
        let revoked = authorities.revoked.as_deref();
        (object.name(), map.mesh.as_deref(), authorities.certificates.as_str(), revoked)
    });
    let expected = [("both", None, "A", None), ("one", None, "C", Some("R"))];
    assert_eq!(maps.collect::<Vec<_>>(), expected);
}

#[test]
fn settings_of_the_mesh_are_laid_over_the_defaults() {
    let text = "\
outboundTrafficPolicy: {mode: ALLOW_ANY_DYNAMIC_DNS}
rootNamespace: mesh
extensionProviders: [{name: zipkin}]
defaultConfig: {gatewayTopology: {numTrustedProxies: 2}, proxyMetadata: {ISTIO_META_HTTP10: '1'}}
";
    let (written, problems) = load_mesh_config("x", text);
    assert_eq!(problems, []);
    assert_eq!(written.proxy_listen_port, None, "the loader adds nothing");
    let mesh = written.with_defaults();
    assert_eq!(mesh.proxy_listen_port, Some(15001));
    assert_eq!(mesh.root_namespace, "mesh");
    let mode = mesh.outbound_traffic_policy.unwrap().mode;
    assert_eq!(mode, MeshOutboundTrafficMode::AllowAnyDynamicDns);
    let proxy = mesh.default_config.unwrap();
    assert_eq!(proxy.gateway_topology.unwrap().num_trusted_proxies, 2);
    assert_eq!(proxy.drain_duration, Some(Duration::from_secs(45)));
}

#[test]
fn defaults_of_the_mesh_are_those_of_istio() {
    let mesh = MeshConfig::default().with_defaults();
    let mode = mesh.outbound_traffic_policy.as_ref().unwrap().mode;
    assert_eq!(mode, MeshOutboundTrafficMode::AllowAny);
    assert_eq!(mesh.connect_timeout, Some(Duration::from_secs(10)));
    assert_eq!(mesh.default_virtual_service_export_to, ["*"]);
    assert_eq!(mesh.clone().with_defaults(), mesh, "twice is the same as once");
}

#[test]
fn problems_of_the_mesh_settings_are_told() {
    let (_, problems) = load_mesh_config("mesh", "connectTimeout: 10\nenableAutoMtls: maybe\n");
    let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("mesh:1:17: error[IST0106]"), "{found:?}");
    let (_, problems) = load_mesh_config("mesh", "just text\n");
    assert_eq!(problems.len(), 1);
}

#[test]
fn numbers_may_be_text_and_names_may_be_snake_case() {
    let text = "\
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata: {name: a}
spec:
  host: a
  export_to: [.]
  trafficPolicy:
    connectionPool: {tcp: {maxConnections: \"100\", connect_timeout: 1h}}
    loadBalancer: {simple: 4}
    outlier_detection: {consecutive_5xx_errors: 7.0}
";
    let loaded = load("x", text);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let Kind::DestinationRule(rule) = &loaded.objects[0].body else { panic!("a rule") };
    let policy = rule.traffic_policy.as_ref().unwrap();
    let tcp = policy.connection_pool.as_ref().unwrap().tcp.as_ref().unwrap();
    assert_eq!(tcp.max_connections, 100);
    assert_eq!(tcp.connect_timeout, Some(Duration::from_secs(3600)));
    let simple = policy.load_balancer.as_ref().unwrap().simple;
    assert_eq!(simple.map(|policy| policy.as_str()), Some("ROUND_ROBIN"));
    assert_eq!(policy.outlier_detection.as_ref().unwrap().consecutive_5xx_errors, Some(7));
    assert_eq!(rule.export_to, ["."]);
}
