use pilotage_proto::ResourceSet;
use pilotage_proto::envoy::config::cluster::v3::Cluster;
use pilotage_proto::envoy::config::cluster::v3::cluster::{
    ClusterDiscoveryType, DiscoveryType, LbPolicy,
};

use crate::resources;
use crate::testing::{gateway, given, given_mesh, sidecar};

const CART: &str = "
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {clusterIP: 10.0.0.1, ports: [{port: 80, name: http}, {port: 53, name: dns, protocol: UDP}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: cart-x, namespace: shop, labels: {kubernetes.io/service-name: cart}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints:
- {addresses: [10.1.0.7]}
- {addresses: [10.1.0.8], conditions: {ready: false}}
- {addresses: [10.1.0.9], conditions: {ready: false, serving: true, terminating: true}}
";

fn set_of(yaml: &str) -> ResourceSet {
    resources(&given(&format!("{CART}---\n{yaml}"), &sidecar("shop", "10.1.0.1")))
}

fn discovery(cluster: &Cluster) -> DiscoveryType {
    match cluster.cluster_discovery_type {
        Some(ClusterDiscoveryType::Type(kind)) => DiscoveryType::try_from(kind).unwrap(),
        _ => panic!("{} has an extension", cluster.name),
    }
}

fn limits(cluster: &Cluster) -> u32 {
    cluster.circuit_breakers.as_ref().unwrap().thresholds[0].max_connections.unwrap()
}

#[test]
fn every_port_but_udp_has_a_cluster_and_endpoints_that_are_not_leaving() {
    let set = resources(&given(CART, &sidecar("shop", "10.1.0.1")));
    let names: Vec<_> = set.clusters.keys().map(String::as_str).collect();
    let cart = "outbound|80||cart.shop.svc.cluster.local";
    assert_eq!(
        names,
        ["BlackHoleCluster", "InboundPassthroughCluster", "PassthroughCluster", cart]
    );
    let endpoints = &set.endpoints[cart].endpoints;
    assert_eq!(endpoints.len(), 1);
    assert_eq!(endpoints[0].lb_endpoints.len(), 2);
    assert_eq!(endpoints[0].load_balancing_weight, Some(2));
}

#[test]
fn the_same_view_compiles_to_the_same_resources() {
    let view = given(CART, &sidecar("shop", "10.1.0.1"));
    assert_eq!(resources(&view), resources(&view));
}

#[test]
fn a_subset_has_its_own_cluster_and_policy() {
    let set = set_of(
        "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: cart, namespace: shop}
spec:
  host: cart
  trafficPolicy: {connectionPool: {tcp: {maxConnections: 7}}}
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}, trafficPolicy: {connectionPool: {tcp: {maxConnections: 9}}}}
",
    );
    let cluster =
        |subset: &str| &set.clusters[&format!("outbound|80|{subset}|cart.shop.svc.cluster.local")];
    assert_eq!([cluster(""), cluster("v1"), cluster("v2")].map(|c| limits(c)), [7, 7, 9]);
    // No endpoint has such a label, and yet clients are told that there is none.
    assert!(set.endpoints["outbound|80|v1|cart.shop.svc.cluster.local"].endpoints.is_empty());
    assert!(set.inconsistencies().is_empty());
}

#[test]
fn what_a_rule_passes_through_no_subset_brings_back() {
    let set = set_of(
        "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: cart, namespace: shop}
spec:
  host: cart
  trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}
  subsets: [{name: v1, labels: {version: v1}, trafficPolicy: {loadBalancer: {simple: RANDOM}}}]
",
    );
    for subset in ["", "v1"] {
        let cluster = &set.clusters[&format!("outbound|80|{subset}|cart.shop.svc.cluster.local")];
        assert_eq!(discovery(cluster), DiscoveryType::OriginalDst);
        if subset.is_empty() {
            assert_eq!(cluster.lb_policy, LbPolicy::ClusterProvided as i32);
        }
    }
}

#[test]
fn mesh_defaults_fill_what_rules_leave_out_except_below_a_subsets_port() {
    let mesh = "defaultTrafficPolicy: {connectionPool: {tcp: {maxConnections: 5}}}";
    let rule = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: cart, namespace: shop}
spec:
  host: cart
  subsets:
  - name: v1
    labels: {version: v1}
    trafficPolicy: {portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: RANDOM}}]}
";
    let yaml = format!("{CART}---\n{rule}");
    let set = resources(&given_mesh(mesh, &yaml, &sidecar("shop", "10.1.0.1")));
    let cluster = |name: &str| &set.clusters[name];
    assert_eq!(limits(cluster("outbound|80||cart.shop.svc.cluster.local")), 5);
    assert_eq!(limits(cluster("outbound|80|v1|cart.shop.svc.cluster.local")), u32::MAX);
    assert_eq!(limits(cluster("PassthroughCluster")), 5);
}

#[test]
fn names_to_resolve_need_an_endpoint() {
    let set = set_of(
        "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: away, namespace: shop}
spec:
  hosts: [away.test]
  ports: [{number: 443, name: https, protocol: TLS}]
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: none, namespace: shop}
spec:
  hosts: [none.test]
  ports: [{number: 443, name: https, protocol: TLS}]
  resolution: DNS
  workloadSelector: {labels: {app: nobody}}
",
    );
    let away = &set.clusters["outbound|443||away.test"];
    assert_eq!(discovery(away), DiscoveryType::StrictDns);
    assert!(away.load_assignment.is_some() && away.transport_socket_matches.is_empty());
    assert!(!set.clusters.contains_key("outbound|443||none.test"));
}

#[test]
fn gateways_have_no_passthrough_and_find_headless_endpoints_by_eds() {
    let headless = CART.replace("clusterIP: 10.0.0.1", "clusterIP: None");
    let host = "outbound|80||cart.shop.svc.cluster.local";
    let set = resources(&given(&headless, &gateway()));
    assert_eq!(discovery(&set.clusters[host]), DiscoveryType::Eds);
    assert!(!set.clusters.contains_key("PassthroughCluster"));
    let set = resources(&given(&headless, &sidecar("shop", "10.1.0.1")));
    assert_eq!(discovery(&set.clusters[host]), DiscoveryType::OriginalDst);
}

#[test]
fn the_workload_itself_is_reached_by_its_own_port() {
    let pod = "
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec:
  clusterIP: 10.0.0.1
  selector: {app: cart}
  ports: [{port: 80, targetPort: 8080, name: http}, {port: 81, targetPort: 8080, name: tcp}]
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: shop, labels: {app: cart}}
status: {podIP: 10.1.0.7}
";
    let set = resources(&given(pod, &sidecar("shop", "10.1.0.7")));
    let inbound: Vec<_> = set.clusters.keys().filter(|name| name.starts_with("inbound|")).collect();
    assert_eq!(inbound, ["inbound|8080||"]);
    let cluster = &set.clusters["inbound|8080||"];
    assert_eq!(discovery(cluster), DiscoveryType::OriginalDst);
    assert!(cluster.upstream_bind_config.is_some());
}

#[test]
fn unknown_hosts_may_be_resolved_by_the_proxy() {
    let mesh = "outboundTrafficPolicy: {mode: ALLOW_ANY_DYNAMIC_DNS, tls: {mode: SIMPLE}}";
    let client = sidecar("shop", "10.1.0.1");
    let set = resources(&given_mesh(mesh, CART, &client));
    let cluster = &set.clusters["AllowAnyDynamicDNSCluster"];
    assert!(matches!(cluster.cluster_discovery_type, Some(ClusterDiscoveryType::ClusterType(_))));
    assert!(cluster.transport_socket.is_some());
    assert!(!resources(&given(CART, &client)).clusters.contains_key("AllowAnyDynamicDNSCluster"));
}

/// The names of the transport sockets of `cart`'s cluster: the only one, and those among which endpoints choose.
fn sockets(tls: &str) -> (Option<String>, Vec<String>) {
    let rule = format!(
        "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: cart, namespace: shop}}
spec: {{host: cart, trafficPolicy: {tls}}}
"
    );
    let set = set_of(&rule);
    let cluster = &set.clusters["outbound|80||cart.shop.svc.cluster.local"];
    let short = |name: &str| name.replace("envoy.transport_sockets.", "");
    let all = cluster.transport_socket_matches.iter();
    let all = all.filter_map(|found| found.transport_socket.as_ref()).map(|s| short(&s.name));
    (cluster.transport_socket.as_ref().map(|s| short(&s.name)), all.collect())
}

#[test]
fn a_rule_that_speaks_of_tls_ends_automatic_mtls() {
    let both = vec!["tls".to_owned(), "raw_buffer".to_owned()];
    assert_eq!(sockets("{loadBalancer: {simple: RANDOM}}"), (None, both));
    assert_eq!(sockets("{tls: {mode: DISABLE}}"), (None, vec![]));
    assert_eq!(sockets("{tls: {mode: SIMPLE}}"), (Some("tls".to_owned()), vec![]));
    assert_eq!(sockets("{tls: {mode: ISTIO_MUTUAL}}"), (Some("tls".to_owned()), vec![]));
    // The secret is for clients that the rule selects, and here it selects none.
    assert_eq!(sockets("{tls: {mode: SIMPLE, credentialName: ca}}"), (None, vec![]));
}

#[test]
fn the_proxy_protocol_wraps_whatever_is_there() {
    let wrapped = "upstream_proxy_protocol".to_owned();
    let both = vec![wrapped.clone(), wrapped.clone()];
    assert_eq!(sockets("{proxyProtocol: {version: V2}}"), (None, both));
    let plain = "{tls: {mode: DISABLE}, proxyProtocol: {}}";
    assert_eq!(sockets(plain), (Some(wrapped), vec![]));
}

#[test]
fn statistics_are_named_as_the_mesh_asks() {
    let mesh =
        "outboundClusterStatName: '%SERVICE%_%SERVICE_PORT_NAME%_%SERVICE_PORT%_%SUBSET_NAME%'";
    let client = sidecar("shop", "10.1.0.1");
    let name = "outbound|80||cart.shop.svc.cluster.local";
    let set = resources(&given_mesh(mesh, CART, &client));
    assert_eq!(set.clusters[name].alt_stat_name, "cart.shop_http_80_");
    assert_eq!(resources(&given(CART, &client)).clusters[name].alt_stat_name, "");
}

#[test]
fn sessions_go_on_with_draining_endpoints_only_where_the_service_keeps_them() {
    let draining = "
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: shop, labels: {istio.io/draining: 'true'}}
status: {podIP: 10.1.0.7}
";
    let yaml = format!("{CART}---{draining}");
    let keeping = yaml.replace(
        "{name: cart, namespace: shop}",
        "{name: cart, namespace: shop, labels: {istio.io/persistent-session: sid}}",
    );
    let name = "outbound|80||cart.shop.svc.cluster.local";
    let of = |yaml: &str| {
        let set = resources(&given(yaml, &sidecar("shop", "10.1.0.1")));
        let common = set.clusters[name].common_lb_config.clone().unwrap();
        let count: usize = set.endpoints[name].endpoints.iter().map(|g| g.lb_endpoints.len()).sum();
        (count, common.override_host_status.is_some())
    };
    assert_eq!(of(&yaml), (1, false));
    assert_eq!(of(&keeping), (2, true));
}

#[test]
fn weights_beyond_all_measure_stop_at_the_largest() {
    let entry = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: heavy, namespace: shop}
spec:
  hosts: [heavy.test]
  location: MESH_INTERNAL
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints:
  - {address: 10.0.0.1, weight: 4294967295, serviceAccount: a}
  - {address: 10.0.0.2, weight: 4294967295, serviceAccount: a}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 15443, name: tls, protocol: TLS}
    tls: {mode: AUTO_PASSTHROUGH}
    hosts: ['*.test']
";
    let set = resources(&given(entry, &gateway()));
    for name in ["outbound|80||heavy.test", "outbound_.80_._.heavy.test"] {
        assert_eq!(
            set.endpoints[name].endpoints[0].load_balancing_weight,
            Some(u32::MAX),
            "{name}"
        );
    }
}
