use crate::endpoint::Health;
use crate::host::Host;
use crate::service::TrafficDistribution;
use crate::testing::{istio, service, snapshot};

/// `address:port service-port health` of each endpoint of `host` in `shop`.
fn endpoints(yaml: &str, host: &str) -> Vec<String> {
    let snapshot = snapshot(yaml);
    let found = snapshot.registry.get(&Host::from(host), "shop").unwrap();
    let text = found.endpoints.all.iter().map(|endpoint| {
        let state = if endpoint.health == Health::Healthy { "" } else { " not healthy" };
        format!("{}:{} {}{state}", endpoint.address, endpoint.port, endpoint.service_port_name)
    });
    text.collect()
}

const CART: &str = "cart.shop.svc.cluster.local";

fn pod(name: &str, ip: &str, ready: &str) -> String {
    format!(
        "---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: shop, labels: {{app: cart}}}}
spec: {{nodeName: node-a, serviceAccountName: {name}}}
status: {{podIP: {ip}, conditions: [{{type: Ready, status: '{ready}'}}]}}
"
    )
}

const SLICE: &str = "---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: cart-x, namespace: shop, labels: {kubernetes.io/service-name: cart}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints:
- {addresses: [10.1.0.1], targetRef: {kind: Pod, name: cart-1}}
- {addresses: [10.1.0.2], targetRef: {kind: Pod, name: absent}}
- {addresses: [10.1.0.3]}
";

#[test]
fn a_slice_lists_endpoints_except_those_whose_pod_is_not_there_yet() {
    let yaml = service("cart", "shop") + &pod("cart-1", "10.1.0.1", "True") + SLICE;
    assert_eq!(endpoints(&yaml, CART), ["10.1.0.1:8080 http", "10.1.0.3:8080 http"]);
}

#[test]
fn without_any_slice_the_selected_pods_count() {
    let yaml = service("cart", "shop")
        + &pod("cart-1", "10.1.0.1", "True")
        + &pod("cart-2", "10.1.0.2", "False");
    assert_eq!(endpoints(&yaml, CART), ["10.1.0.1:80 http", "10.1.0.2:80 http not healthy"]);
}

#[test]
fn a_selected_workload_entry_is_an_endpoint_of_both_registries() {
    let entry = "{address: 10.2.0.1, labels: {app: cart}, ports: {http: 9090}, weight: 5}";
    let spec = "{hosts: [cart.test], resolution: STATIC, workloadSelector: {labels: {app: cart}}, ports: [{number: 80, name: http, protocol: HTTP}]}";
    let yaml = service("cart", "shop")
        + &istio("WorkloadEntry", "vm", "shop", entry)
        + &istio("WorkloadEntry", "other", "web", entry)
        + &istio("ServiceEntry", "cart", "shop", spec)
        + &pod("cart-1", "10.1.0.1", "True")
        + &pod("cart-2", "10.1.0.2", "False");
    assert_eq!(endpoints(&yaml, "cart.test"), ["10.2.0.1:9090 http", "10.1.0.1:80 http"]);
    let of_kubernetes = endpoints(&yaml, CART);
    assert!(of_kubernetes.contains(&"10.2.0.1:9090 http".to_owned()), "{of_kubernetes:?}");
}

#[test]
fn endpoints_of_one_host_join_and_repeat_for_every_address() {
    let one = "{hosts: [a.test], addresses: [10.9.0.1, 10.9.0.2], resolution: STATIC, ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}], endpoints: [{address: 10.3.0.1}, {address: 10.3.0.2, ports: {http: 1}}]}";
    let two = "{hosts: [a.test], resolution: STATIC, ports: [{number: 81, name: other, protocol: TCP}], endpoints: [{address: unix:///run/a.sock}]}";
    let yaml =
        istio("ServiceEntry", "one", "shop", one) + &istio("ServiceEntry", "two", "shop", two);
    assert_eq!(
        endpoints(&yaml, "a.test"),
        [
            "10.3.0.1:8080 http",
            "10.3.0.2:1 http",
            "10.3.0.1:8080 http",
            "10.3.0.2:1 http",
            "/run/a.sock:0 other",
        ]
    );
}

#[test]
fn identities_come_from_endpoints_and_objects_with_aliases_of_the_trust_domain() {
    let spec = "{hosts: [a.test], resolution: STATIC, subjectAltNames: [spiffe://x/y], ports: [{number: 80, name: http, protocol: HTTP}], endpoints: [{address: 10.3.0.1, serviceAccount: vm}]}";
    let snapshot = snapshot(&istio("ServiceEntry", "a", "shop", spec));
    let found = snapshot.registry.get(&Host::from("a.test"), "shop").unwrap();
    let identities: Vec<_> = found.endpoints.identities.iter().map(|name| &**name).collect();
    assert_eq!(identities, ["spiffe://cluster.local/ns/shop/sa/vm", "spiffe://x/y"]);
    assert!(found.endpoints.all[0].workload.mesh_tls);
}

#[test]
fn a_policy_of_the_workload_marks_its_port_as_plaintext() {
    let policy = "---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: cart, namespace: shop}
spec: {selector: {matchLabels: {app: cart}}, mtls: {mode: STRICT}, portLevelMtls: {8080: {mode: DISABLE}}}
";
    let yaml = service("cart", "shop") + &pod("cart-1", "10.1.0.1", "True") + SLICE + policy;
    let snapshot = snapshot(&yaml);
    let found = snapshot.registry.get(&Host::from(CART), "shop").unwrap();
    let plain: Vec<_> =
        found.endpoints.all.iter().map(|endpoint| endpoint.plaintext_only).collect();
    assert_eq!(plain, [true, false]);
}

#[test]
fn the_service_says_which_endpoints_it_prefers_else_its_namespace() {
    let namespace = "---
apiVersion: v1
kind: Namespace
metadata: {name: shop, annotations: {networking.istio.io/traffic-distribution: PreferSameNode}}
";
    let preferred = |yaml: &str| {
        let snapshot = snapshot(yaml);
        snapshot.registry.get(&Host::from(CART), "shop").unwrap().service.traffic_distribution
    };
    let plain = service("cart", "shop");
    assert_eq!(preferred(&plain), TrafficDistribution::Any);
    assert_eq!(preferred(&(plain.clone() + namespace)), TrafficDistribution::PreferSameNode);
    let own = plain.replace("clusterIP", "trafficDistribution: PreferClose, clusterIP");
    assert_eq!(preferred(&(own + namespace)), TrafficDistribution::PreferSameZone);
}

#[test]
fn another_name_is_noted_at_the_service_it_stands_for() {
    let alias = |name: &str, target: &str| {
        format!(
            "---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: web}}
spec: {{type: ExternalName, externalName: {target}}}
"
        )
    };
    let yaml = service("cart", "shop")
        + &alias("a", "b.web.svc.cluster.local")
        + &alias("b", CART)
        + &alias("loop", "loop.web.svc.cluster.local");
    let snapshot = snapshot(&yaml);
    let found = snapshot.registry.get(&Host::from(CART), "shop").unwrap();
    let aliases: Vec<_> = found.service.aliases.iter().map(|alias| alias.host.as_str()).collect();
    assert_eq!(aliases, ["a.web.svc.cluster.local", "b.web.svc.cluster.local"]);
}
