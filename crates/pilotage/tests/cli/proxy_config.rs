//! `proxy-config`: tables, JSON and YAML, and what becomes of mistakes.

use serde_json::Value;

use crate::support::{Done, Folder, pilotage};

const SHOP: &str = "
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {clusterIP: 10.96.1.1, selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: shop, labels: {app: cart, version: v1}}
spec: {serviceAccountName: cart}
status: {podIP: 10.1.1.1, podIPs: [{ip: 10.1.1.1}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: cart-x, namespace: shop, labels: {kubernetes.io/service-name: cart}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [10.1.1.1], targetRef: {kind: Pod, name: cart-1, namespace: shop}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: cart-rule, namespace: shop}
spec: {host: cart, subsets: [{name: v1, labels: {version: v1}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart-routes, namespace: shop}
spec:
  hosts: [cart]
  http:
  - match: [{uri: {prefix: /api}, headers: {user: {exact: jason}}}]
    route: [{destination: {host: cart, subset: v1}}]
  - route: [{destination: {host: cart}}]
";

const GATEWAY: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: web, namespace: shop}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 8080, name: http, protocol: HTTP}, hosts: [shop.test]}]
";

/// Runs `proxy-config` on a folder with the shop and `more`.
fn shop(more: &str, arguments: &[&str]) -> Done {
    let folder = Folder::new();
    folder.write("shop.yaml", SHOP);
    if !more.is_empty() {
        folder.write("more.yaml", more);
    }
    let mut all = vec!["proxy-config"];
    all.extend(arguments);
    all.extend(["-f", folder.path(), "-n", "shop"]);
    pilotage(&all)
}

/// The cells of each line of a table.
fn cells(table: &str) -> Vec<Vec<&str>> {
    table
        .lines()
        .map(|line| line.split("     ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect()
}

#[test]
fn routes_are_listed_in_the_order_in_which_they_are_tried() {
    let done = shop("", &["routes"]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    let name = "cart.shop.svc.cluster.local:80";
    let domains = "cart, cart.shop + 4 more...";
    assert_eq!(
        cells(&done.stdout),
        [
            vec!["NAME", "VHOST NAME", "DOMAINS", "MATCH", "VIRTUAL SERVICE"],
            vec!["80", name, domains, "/api* …", "cart-routes.shop"],
            vec!["80", name, domains, "/*", "cart-routes.shop"],
            vec!["80", "allow_any", "*", "/*"],
        ]
    );
}

#[test]
fn clusters_and_endpoints_name_service_port_subset_and_rule() {
    let done = shop("", &["clusters"]);
    let rows = cells(&done.stdout);
    let host = "cart.shop.svc.cluster.local";
    assert!(rows.contains(&vec![host, "80", "-", "outbound", "EDS", "cart-rule.shop"]), "{rows:?}");
    assert!(
        rows.contains(&vec![host, "80", "v1", "outbound", "EDS", "cart-rule.shop"]),
        "{rows:?}"
    );

    let done = shop("", &["endpoints"]);
    let cluster = "outbound|80||cart.shop.svc.cluster.local";
    assert!(
        cells(&done.stdout).contains(&vec![
            "10.1.1.1:8080",
            "HEALTHY",
            "OK",
            cluster,
            "0",
            "1",
            "-",
            "100.0%"
        ]),
        "{}",
        done.stdout
    );
}

#[test]
fn listeners_are_listed_by_port_with_what_they_match() {
    let done = shop("", &["listeners", "--proxy-ip", "10.1.1.1"]);
    let rows = cells(&done.stdout);
    assert_eq!(rows[0], ["ADDRESSES", "PORT", "MATCH", "DESTINATION"]);
    assert_eq!(rows[1], ["0.0.0.0", "80", "Trans: raw_buffer; App: HTTP", "Route: 80"]);
    assert_eq!(rows[2], ["0.0.0.0", "80", "ALL", "PassthroughCluster"]);
    // The address makes the proxy the pod, which the service selects.
    let inbound =
        ["0.0.0.0", "15006", "Trans: raw_buffer; Addr: *:8080", "Cluster: inbound|8080||"];
    assert!(rows.iter().any(|row| *row == inbound), "{}", done.stdout);
}

#[test]
fn json_is_one_object_of_lists_and_yaml_says_the_same() {
    let done = shop("", &["all", "-o", "json"]);
    let all: Value = serde_json::from_str(&done.stdout).unwrap();
    let keys: Vec<&String> = all.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["listeners", "routes", "clusters", "endpoints"]);
    assert!(all.as_object().unwrap().values().all(|list| !list.as_array().unwrap().is_empty()));
    let again = shop("", &["all", "-o", "json"]);
    assert_eq!(again.stdout, done.stdout);

    let done = shop("", &["routes", "-o", "yaml"]);
    assert!(done.stdout.starts_with("- name: \"80\"\n  virtualHosts:\n"), "{}", done.stdout);
}

#[test]
fn a_gateway_serves_what_selects_it() {
    let gateway = ["listeners", "--proxy", "gateway", "--labels", "istio=ingressgateway"];
    let done = shop(GATEWAY, &gateway);
    assert_eq!(cells(&done.stdout)[1], ["0.0.0.0", "8080", "ALL", "Route: http.8080"]);
    let done = shop(GATEWAY, &["listeners", "--proxy", "gateway", "--labels", "istio=other"]);
    assert_eq!(done.stdout.lines().count(), 1, "{}", done.stdout);
}

#[test]
fn settings_of_the_mesh_come_from_the_flag_or_the_config_map() {
    let map = "
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: 'outboundTrafficPolicy: {mode: REGISTRY_ONLY}'}
";
    assert!(shop(map, &["routes"]).stdout.contains("block_all"));
    let folder = Folder::new();
    folder.write("mesh.yaml", "outboundTrafficPolicy: {mode: ALLOW_ANY}");
    let file = folder.file("mesh.yaml");
    let done = shop(map, &["routes", "--meshConfigFile", file.to_str().unwrap()]);
    assert!(done.stdout.contains("allow_any"), "{}", done.stdout);
}

#[test]
fn one_bad_object_takes_down_nothing_but_itself() {
    let bad = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: bad, namespace: shop}
spec: {hosts: [cart.shop.svc.cluster.local], http: [{rout: []}]}
";
    let done = shop(bad, &["routes"]);
    assert_eq!(done.code, 0);
    assert!(done.stdout.contains("cart-routes.shop"), "{}", done.stdout);
    assert!(done.stderr.contains("error[IST0106]"), "{}", done.stderr);
}

#[test]
fn a_file_that_cannot_be_read_as_yaml_shows_in_the_exit_code() {
    let done = shop("spec: [", &["routes"]);
    assert_eq!(done.code, 65);
    assert!(done.stdout.contains("cart-routes.shop"), "{}", done.stdout);
    assert!(done.stderr.contains("error[PIL"), "{}", done.stderr);
}
