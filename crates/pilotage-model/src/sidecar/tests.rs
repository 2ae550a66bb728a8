use crate::testing::{istio, service, sidecar, snapshot};
use crate::view;

/// The hosts of the clusters that a client in `web` with `app: client` has, without their common end.
fn hosts(yaml: &str) -> Vec<String> {
    let view = view(&snapshot(yaml), &sidecar("web", &["app=client"]));
    let hosts = view.clusters.iter().map(|view| view.service.host.to_string());
    hosts.map(|host| host.replace(".svc.cluster.local", "")).collect()
}

fn mesh() -> String {
    ["cart", "pay"].map(|name| service(name, "shop")).concat() + &service("front", "web")
}

fn entry(namespace: &str, created: &str, host: &str) -> String {
    let ports = "[{number: 80, name: http, protocol: HTTP}]";
    let spec = format!("{{hosts: [{host}], ports: {ports}, resolution: NONE}}");
    let object = istio("ServiceEntry", "entry", namespace, &spec);
    object.replace("name: entry", &format!("name: entry, creationTimestamp: '{created}'"))
}

#[test]
fn without_an_object_everything_visible_is_imported() {
    assert_eq!(hosts(&mesh()), ["cart.shop", "front.web", "pay.shop"]);
}

#[test]
fn hosts_are_imported_by_namespace_and_name_and_excluded_again() {
    let with = |imported: &str| {
        let spec = format!("{{egress: [{{hosts: {imported}}}]}}");
        hosts(&(mesh() + &istio("Sidecar", "s", "web", &spec)))
    };
    assert_eq!(with("['./*']"), ["front.web"]);
    assert_eq!(with("['shop/cart.shop.svc.cluster.local', './*']"), ["cart.shop", "front.web"]);
    assert_eq!(with("['~shop/cart.shop.svc.cluster.local', '*/*']"), ["front.web", "pay.shop"]);
    assert!(with("['~/*']").is_empty());
}

#[test]
fn the_object_that_selects_the_workload_wins_over_that_of_the_namespace() {
    let one = "{workloadSelector: {labels: {app: client}}, egress: [{hosts: ['./*']}]}";
    let yaml = mesh()
        + &istio("Sidecar", "all", "web", "{egress: [{hosts: ['shop/*']}]}")
        + &istio("Sidecar", "one", "web", one)
        + &istio("Sidecar", "root", "istio-system", "{egress: [{hosts: ['~/*']}]}");
    assert_eq!(hosts(&yaml), ["front.web"]);
    assert_eq!(hosts(&yaml.replace("app: client", "app: other")), ["cart.shop", "pay.shop"]);
}

#[test]
fn destinations_of_imported_virtual_services_get_clusters_but_are_not_imported() {
    let to =
        "{hosts: [front], http: [{route: [{destination: {host: pay.shop.svc.cluster.local}}]}]}";
    let yaml = mesh()
        + &istio("Sidecar", "s", "web", "{egress: [{hosts: ['./*']}]}")
        + &istio("VirtualService", "front", "web", to);
    assert_eq!(hosts(&yaml), ["front.web", "pay.shop"]);
    let view = view(&snapshot(&yaml), &sidecar("web", &[]));
    assert_eq!(view.egress.len(), 1);
    assert_eq!(view.egress[0].services.len(), 1);
    assert_eq!(view.egress[0].virtual_services.len(), 1);
    assert!(view.service("pay.shop.svc.cluster.local").is_some());
    assert!(view.service("cart.shop.svc.cluster.local").is_none());
}

#[test]
fn of_one_host_in_several_namespaces_the_clients_own_counts_then_kubernetes_then_the_oldest() {
    let namespace = |yaml: &str| {
        let view = view(&snapshot(yaml), &sidecar("web", &[]));
        let of = view.service("cart.shop.svc.cluster.local").unwrap();
        of.service.namespace.to_string()
    };
    let host = "cart.shop.svc.cluster.local";
    let old = entry("a", "2020-01-01T00:00:00Z", host);
    let older = entry("b", "2019-01-01T00:00:00Z", host);
    assert_eq!(namespace(&(old.clone() + &older)), "b");
    assert_eq!(namespace(&(service("cart", "shop") + &old + &older)), "shop");
}

#[test]
fn the_clients_own_declaration_is_imported_rather_than_one_of_kubernetes() {
    let own = entry("web", "2024-01-01T00:00:00Z", "cart.shop.svc.cluster.local");
    let view = view(&snapshot(&(service("cart", "shop") + &own)), &sidecar("web", &[]));
    let namespaces: Vec<_> =
        view.egress[0].services.iter().map(|view| &*view.service.namespace).collect();
    assert_eq!(namespaces, ["web"]);
}

#[test]
fn private_services_stay_at_home() {
    let private = entry("shop", "2020-01-01T00:00:00Z", "away.test")
        .replace("{hosts", "{exportTo: ['.'], hosts");
    assert!(hosts(&private).is_empty());
    assert_eq!(hosts(&private.replace("['.']", "[web]")), ["away.test"]);
    assert!(hosts(&private.replace("['.']", "['~']")).is_empty());
}
