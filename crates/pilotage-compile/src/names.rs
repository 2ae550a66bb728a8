//! The names a proxy's clients may use, and the addresses they stand for.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use pilotage_model::host::Host;
use pilotage_model::service::{Registry, Resolution, Service, ServiceAddress};
use pilotage_model::{ProxyView, ServiceView};
use pilotage_proto::istio::networking::nds::v1::NameTable;
use pilotage_proto::istio::networking::nds::v1::name_table::NameInfo;

use crate::endpoints;

/// The table of names.
///
/// Every form of a name is an entry of its own: the full host, and for Kubernetes services `name.namespace`,
/// `name.namespace.svc` and (in the client's namespace) `name`. A host without an address has no entry; whoever sends
/// to it is served by what listens on all addresses of the port.
pub(crate) fn build(view: &ProxyView) -> NameTable {
    let mut table = BTreeMap::new();
    for service in &view.clusters {
        add_full(&mut table, view, service);
    }
    // Full hosts win over short forms of others.
    for service in &view.clusters {
        add_short(&mut table, view, &service.service);
    }
    for service in &view.clusters {
        add_alias(&mut table, view, &service.service);
    }
    NameTable { table }
}

type Table = BTreeMap<String, NameInfo>;

/// How many aliases are followed one after the other.
const MOST_ALIASES: usize = 16;

fn add_full(table: &mut Table, view: &ProxyView, view_of_service: &ServiceView) {
    let service = &view_of_service.service;
    let found = if service.addresses.is_empty() && service.headless {
        of_endpoints(table, view_of_service)
    } else {
        of_service(service, view)
    };
    if found.is_empty() {
        return;
    }
    let mut ips: Vec<String> = Vec::with_capacity(found.len());
    for ip in found.iter().map(ToString::to_string) {
        if !ips.contains(&ip) {
            ips.push(ip);
        }
    }
    let mut info = NameInfo { ips, ..NameInfo::default() };
    info.registry = match service.registry {
        Registry::Kubernetes => "Kubernetes",
        Registry::ServiceEntry => "External",
    }
    .to_owned();
    if service.is_kubernetes() {
        info.shortname = service.name.to_string();
        info.namespace = service.namespace.to_string();
    }
    for alias in &service.aliases {
        let info = NameInfo { shortname: String::new(), ..info.clone() };
        table.entry(key(&alias.host)).or_insert(info);
    }
    table.insert(key(&service.host), info);
}

/// The addresses of a service, those of the proxy's own family first.
fn of_service(service: &Service, view: &ProxyView) -> Vec<IpAddr> {
    let written = service.addresses.iter().filter_map(|address| match address {
        ServiceAddress::Ip(ip) => Some(*ip),
        // A range stands for no single address.
        ServiceAddress::Cidr(_) => None,
    });
    let mut all: Vec<IpAddr> = written.collect();
    if all.is_empty() && view.proxy.dns_capture {
        all.clone_from(&service.auto_addresses);
    }
    let ipv6 = view.proxy.is_ipv6_only();
    all.sort_by_key(|ip| ip.is_ipv6() != ipv6);
    all
}

/// The addresses of a headless service's Pods, each of which may have a name of its own too.
fn of_endpoints(table: &mut Table, view: &ServiceView) -> Vec<IpAddr> {
    let service = &view.service;
    let Some(first) = service.ports.first() else { return Vec::new() };
    if service.resolution != Resolution::Passthrough {
        return Vec::new();
    }
    let mut all = Vec::new();
    for endpoint in endpoints::of_port(view, first.number) {
        let Some(ip) = endpoint.address.ip() else { continue };
        all.push(ip);
        let workload = &endpoint.workload;
        if !workload.host_name.is_empty() {
            let host = format!("{}.{}", workload.host_name, service.host).to_ascii_lowercase();
            let info = NameInfo {
                ips: vec![ip.to_string()],
                registry: "Kubernetes".to_owned(),
                namespace: service.namespace.to_string(),
                shortname: format!("{}.{}", workload.host_name, service.name),
                ..NameInfo::default()
            };
            table.entry(host).or_insert(info);
        }
    }
    all
}

/// Adds the short forms of a Kubernetes service and of its aliases, as far as they are free.
fn add_short(table: &mut Table, view: &ProxyView, service: &Service) {
    let aliases = service.aliases.iter().map(|alias| (&alias.host, &alias.namespace));
    let own = service.is_kubernetes().then_some((&service.host, &service.namespace));
    for (host, namespace) in own.into_iter().chain(aliases) {
        let Some(info) = table.get(&key(host)).cloned() else { continue };
        for form in short_forms(view, host, namespace) {
            table.entry(form).or_insert_with(|| info.clone());
        }
    }
}

/// The short forms of a Kubernetes service's name.
fn short_forms(view: &ProxyView, host: &Host, namespace: &Arc<str>) -> Vec<String> {
    // What precedes `.namespace.svc.domain` is the name.
    let tail = format!(".{namespace}.svc.{}", view.mesh.domain());
    let Some(name) = key(host).strip_suffix(&tail).map(str::to_owned) else { return Vec::new() };
    let mut forms = vec![format!("{name}.{namespace}"), format!("{name}.{namespace}.svc")];
    if *namespace == view.proxy.namespace {
        forms.push(name);
    }
    forms
}

/// Adds an `ExternalName` service whose target the mesh does not know. Its addresses are those that DNS has for the
/// target, as the DNS of Kubernetes answers with the target's name.
fn add_alias(table: &mut Table, view: &ProxyView, service: &Service) {
    let mut resolution = &service.resolution;
    // A cycle of aliases ends nowhere.
    for _ in 0..MOST_ALIASES {
        let Resolution::Alias(target) = resolution else { return };
        let Some(known) = view.service(target.as_str()) else {
            let mut names = short_forms(view, &service.host, &service.namespace);
            names.push(key(&service.host));
            #[expect(deprecated, reason = "it says what is meant, and nothing else does")]
            table.entry(key(target)).or_default().alt_hosts.append(&mut names);
            return;
        };
        resolution = &known.service.resolution;
    }
}

fn key(host: &Host) -> String {
    host.as_str().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use crate::testing::{given, sidecar};

    use super::build;

    #[test]
    fn services_have_all_forms_of_their_name() {
        let view = given(
            "
apiVersion: v1
kind: Service
metadata: {name: Cart, namespace: shop}
spec: {clusterIP: 10.0.0.1, ports: [{port: 80, name: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: basket, namespace: shop}
spec: {type: ExternalName, externalName: Cart.shop.svc.cluster.local}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: away, namespace: web}
spec:
  hosts: [away.test, cart.shop]
  addresses: [10.9.0.1, 10.8.0.0/16]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
",
            &sidecar("shop", "10.1.0.1"),
        );
        let table = build(&view).table;
        let ips = |name: &str| table.get(name).map(|info| info.ips.join(","));
        for name in
            ["cart", "cart.shop.svc", "cart.shop.svc.cluster.local", "basket", "basket.shop"]
        {
            assert_eq!(ips(name).as_deref(), Some("10.0.0.1"), "{name}");
        }
        // The full host of one service is not taken by the short form of another.
        assert_eq!(ips("cart.shop").as_deref(), Some("10.9.0.1"));
        assert_eq!(ips("away.test").as_deref(), Some("10.9.0.1"));
        assert_eq!(ips("away"), None);
    }

    #[test]
    #[expect(deprecated, reason = "names of targets outside the mesh stand there")]
    fn aliases_of_hosts_outside_are_other_names_of_these() {
        let alias = |name: &str, target: &str| {
            format!(
                "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\n\
                 spec: {{type: ExternalName, externalName: {target}}}\n---\n"
            )
        };
        let text = alias("out", "Api.test.")
            + &alias("chain", "out.shop.svc.cluster.local")
            + &alias("a", "b.shop.svc.cluster.local")
            + &alias("b", "a.shop.svc.cluster.local");
        let table = build(&given(&text, &sidecar("web", "10.1.0.1"))).table;
        assert_eq!(table.keys().collect::<Vec<_>>(), ["api.test"]);
        let names = &table["api.test"].alt_hosts;
        let expected = |name: &str| {
            ["shop", "shop.svc", "shop.svc.cluster.local"].map(|rest| format!("{name}.{rest}"))
        };
        assert_eq!(*names, [expected("chain"), expected("out")].concat());
    }

    #[test]
    fn headless_services_have_their_pods() {
        let view = given(
            "
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, ports: [{port: 5432, name: tcp}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db-0, namespace: shop}
spec: {hostname: db-0, subdomain: db}
status: {podIP: 10.1.0.7}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-x, namespace: shop, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
ports: [{name: tcp, port: 5432}]
endpoints:
- {addresses: [10.1.0.7], targetRef: {kind: Pod, name: db-0, namespace: shop}}
- {addresses: [10.1.0.8]}
",
            &sidecar("web", "10.1.0.1"),
        );
        let table = build(&view).table;
        assert_eq!(table["db.shop"].ips, ["10.1.0.7", "10.1.0.8"]);
        assert_eq!(table["db-0.db.shop.svc.cluster.local"].ips, ["10.1.0.7"]);
        assert!(!table.contains_key("db"));
    }
}
