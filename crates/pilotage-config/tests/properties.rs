//! The loader answers whatever it is given, and never panics.

use pilotage_config::{LoadOptions, Loaded, RenderOptions, load, load_bytes};
use proptest::prelude::*;

/// An object with some of everything: lists, maps, durations, quotes, anchors, block text.
const OBJECT: &str = r#"apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, labels: &labels {"app.kubernetes.io/name": reviews}}
spec:
  hosts: [reviews, "*.example.com"]
  http:
  - match:
    - headers: {end-user: {exact: jason}, cookie: null}
      uri: {prefix: /api}
      sourceLabels: *labels
    directResponse:
      status: 503
      body:
        string: |
          out of order
  - route:
    - destination: {host: reviews, subset: v1, port: {number: 9080}}
      weight: 80
    retries: {attempts: 3, retryOn: '5xx,reset'}
    fault: {delay: {fixedDelay: 1.5s, percentage: {value: 0.1}}}
  exportTo: [.]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: "*.mesh.internal"
  trafficPolicy:
    loadBalancer:
      consistentHash: {httpCookie: {name: user, ttl: 0s}, maglev: {tableSize: 65537}}
      localityLbSetting: {distribute: [{from: a/*, to: {"a/*": 80, b: 20}}]}
    connectionPool: {tcp: {connectTimeout: 1s}, http: {h2UpgradePolicy: UPGRADE}}
    portLevelSettings: [{port: {number: 80}, tls: {mode: SIMPLE, sni: x.y}}]
  subsets: [{name: v1, labels: {version: v1}}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  servers:
  - port: {number: 443, name: https, protocol: HTTPS}
    hosts: [./*.example.com]
    tls: {mode: SIMPLE, credentialName: cert, cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside}
spec:
  hosts: [api.example.com]
  addresses: [10.1.2.3/32]
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: STATIC
  endpoints: [{address: 2.2.2.2, locality: a/b, ports: {tls: 8443}}]
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: sidecar}
spec:
  ingress: [{port: {number: 80, name: http, protocol: HTTP}, defaultEndpoint: "127.0.0.1:8080"}]
  egress: [{bind: 127.0.0.1, port: {number: 9, name: t, protocol: TCP}, hosts: [./*]}]
---
apiVersion: v1
kind: Secret
metadata: {name: s}
data: {tls.key: c2VjcmV0}
"#;

/// Everything that can be done with what was loaded.
fn look_at(loaded: &Loaded, text: &str) {
    for problem in &loaded.diagnostics {
        let label = problem.primary.as_ref();
        if let Some(label) = label {
            assert!(label.span.start <= label.span.end, "{problem}");
            assert!(label.span.end as usize <= text.len(), "{problem}");
        }
        let plain = problem.render(&("x", text), &RenderOptions::default());
        assert!(plain.lines().all(|line| line.chars().count() <= 100), "too wide:\n{plain}");
        assert!(plain.contains(problem.code.id()));
        assert!(!problem.to_json().to_string().is_empty());
        assert!(!problem.to_string().is_empty());
    }
    for object in loaded.objects.iter().chain(&loaded.broken) {
        assert!(!format!("{object:?}").contains("c2VjcmV0"));
        let prefix = object.spans.value(&"spec.http[0].match[0].uri.prefix".into());
        assert!(prefix.is_some(), "an absent field is placed at its nearest ancestor");
    }
    let errors = loaded.diagnostics.iter().any(|problem| problem.is_error());
    assert!(loaded.broken.is_empty() || errors, "a broken object needs an error");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let loaded = load_bytes("x", &bytes, &LoadOptions::default());
        look_at(&loaded, &String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_text_of_yaml_characters(text in "[-a:{}\\[\\]&*!|>'\"%@`,?# \n\t0.<~é]{0,80}") {
        look_at(&load("x", &text), &text);
    }

    #[test]
    fn mutations(
        edits in proptest::collection::vec((0..OBJECT.len(), 0..4usize, "[-:{}\\[\\]&*'\" \n\tx0é]{0,4}"), 1..6)
    ) {
        let mut text = OBJECT.to_owned();
        for (at, cut, insert) in edits {
            let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            let end = (at + cut).min(text.len());
            let end = (end..=text.len()).find(|end| text.is_char_boundary(*end)).unwrap();
            text.replace_range(at..end, &insert);
        }
        look_at(&load("x", &text), &text);
    }
}

#[test]
fn the_object_itself_is_fine() {
    let loaded = load("x", OBJECT);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    assert_eq!(loaded.objects.len(), 6);
}
