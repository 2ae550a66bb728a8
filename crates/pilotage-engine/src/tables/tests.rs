//! Applying resources: what is taken, refused, kept and reused.

mod survival;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use pilotage_proto::ResourceSet;
use pilotage_proto::json::from_value;
use serde_json::{Value, json};

use super::Tables;
use crate::env::Env;
use crate::filter_chain::ChainAction;
use crate::live_state::LiveState;
use crate::load_balancing::PickContext;
use crate::rejection::{ResourceKind, Severity};

fn routes(name: &str, routes: Value) -> Value {
    json!({"name": name, "virtualHosts": [
        {"name": "a", "domains": ["a.example"], "routes": routes},
        {"name": "b", "domains": ["b.example"], "routes": []}
    ]})
}

fn good_routes() -> Value {
    routes("80", json!([{"match": {"prefix": "/"}, "route": {"cluster": "one"}}]))
}

/// A set with one listener on 0.0.0.0:80, the given routes, and an EDS cluster with the given endpoints.
fn set(routes: &Value, endpoints: &[&str]) -> ResourceSet {
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "rds": {"routeConfigName": "80"},
        "httpFilters": [{"name": "envoy.filters.http.router"}]
    });
    let listener = json!({
        "name": "0.0.0.0_80",
        "address": {"socketAddress": {"address": "0.0.0.0", "portValue": 80}},
        "filterChains": [{"filters": [{"name": "http", "typedConfig": manager}]}]
    });
    let cluster =
        json!({"name": "one", "type": "EDS", "edsClusterConfig": {"serviceName": "service"}});
    let endpoints: Vec<_> = endpoints
        .iter()
        .map(|ip| {
            let address = json!({"socketAddress": {"address": ip, "portValue": 8080}});
            json!({"endpoint": {"address": address}})
        })
        .collect();
    let assignment = json!({"clusterName": "service", "endpoints": [{"lbEndpoints": endpoints}]});
    let mut set = ResourceSet::default();
    set.listeners.insert("0.0.0.0_80".into(), Arc::new(from_value(&listener).unwrap()));
    set.routes.insert("80".into(), Arc::new(from_value(routes).unwrap()));
    set.clusters.insert("one".into(), Arc::new(from_value(&cluster).unwrap()));
    set.endpoints.insert("service".into(), Arc::new(from_value(&assignment).unwrap()));
    set
}

fn addresses(tables: &Tables, cluster: &str) -> Vec<String> {
    let endpoints = tables.cluster(cluster).unwrap().endpoints();
    endpoints.iter().map(|e| e.address.to_string()).collect()
}

#[test]
fn a_complete_set_is_taken_without_complaint() {
    let (tables, rejections) =
        Tables::apply(&Tables::empty(), &set(&good_routes(), &["10.0.0.1"]), &LiveState::new());
    assert_eq!(rejections, []);
    assert_eq!(addresses(&tables, "one"), ["10.0.0.1:8080"]);
    let listener = tables.listener_for_destination("10.9.9.9:80".parse().unwrap()).unwrap();
    assert_eq!(&*listener.name, "0.0.0.0_80");
    let ChainAction::Http(manager) = &listener.chains().next().unwrap().action else {
        panic!("no HTTP")
    };
    assert_eq!(&*manager.route_table(&tables).unwrap().name, "80");
    assert!(tables.listener_for_destination("10.9.9.9:81".parse().unwrap()).is_none());
}

#[test]
fn a_bad_route_refuses_its_table_and_nothing_else() {
    let live = LiveState::new();
    let (first, _) = Tables::apply(&Tables::empty(), &set(&good_routes(), &["10.0.0.1"]), &live);
    let bad =
        routes("80", json!([{"match": {"safeRegex": {"regex": "("}}, "route": {"cluster": "x"}}]));
    let (second, rejections) = Tables::apply(&first, &set(&bad, &["10.0.0.2"]), &live);
    let [rejection] = rejections.as_slice() else { panic!("{rejections:?}") };
    assert_eq!(rejection.kind, ResourceKind::RouteConfiguration);
    assert_eq!(rejection.severity, Severity::Rejected);
    assert_eq!(rejection.path, "virtual_hosts[0].routes[0].match.safe_regex.regex");
    // The old routes stay in force, the new endpoints are used.
    assert!(Arc::ptr_eq(second.route_table("80").unwrap(), first.route_table("80").unwrap()));
    assert_eq!(addresses(&second, "one"), ["10.0.0.2:8080"]);
    // Mended, the table is taken.
    let (third, rejections) = Tables::apply(&second, &set(&good_routes(), &["10.0.0.2"]), &live);
    assert_eq!(rejections, []);
    assert_eq!(third.route_table("80").unwrap().virtual_hosts().count(), 2);
}

#[test]
fn what_did_not_change_is_not_compiled_again() {
    let live = LiveState::new();
    let (first, _) = Tables::apply(&Tables::empty(), &set(&good_routes(), &["10.0.0.1"]), &live);
    let changed = routes("80", json!([{"match": {"path": "/x"}, "route": {"cluster": "one"}}]));
    let (second, _) = Tables::apply(&first, &set(&changed, &["10.0.0.1"]), &live);
    let listener = |tables: &Tables| Arc::clone(tables.listener("0.0.0.0_80").unwrap());
    assert!(Arc::ptr_eq(&listener(&first), &listener(&second)));
    assert!(Arc::ptr_eq(first.cluster("one").unwrap(), second.cluster("one").unwrap()));
    // Within the changed route configuration, the virtual host that is the same is reused.
    let host = |tables: &Tables, name: &str| {
        Arc::clone(tables.route_table("80").unwrap().virtual_host(name).unwrap())
    };
    assert!(!Arc::ptr_eq(&host(&first, "a.example"), &host(&second, "a.example")));
    assert!(Arc::ptr_eq(&host(&first, "b.example"), &host(&second, "b.example")));
}

#[test]
fn live_state_outlives_a_swap_and_removal_forgets() {
    let live = LiveState::new();
    let (first, _) = Tables::apply(&Tables::empty(), &set(&good_routes(), &["10.0.0.1"]), &live);
    first.cluster("one").unwrap().endpoints().iter().for_each(|endpoint| {
        endpoint.state.active_requests.increase();
    });
    let grown = set(&good_routes(), &["10.0.0.1", "10.0.0.2"]);
    let (second, _) = Tables::apply(&first, &grown, &live);
    let active: Vec<_> = second
        .cluster("one")
        .unwrap()
        .endpoints()
        .iter()
        .map(|e| e.state.active_requests.get())
        .collect();
    assert_eq!(active, [1, 0]);
    let (third, _) = Tables::apply(&second, &ResourceSet::default(), &live);
    assert!(third.cluster("one").is_none());
    drop((first, second));
    live.forget_unused();
    assert!(live.clusters().is_empty());
}

#[test]
fn names_of_dns_clusters_are_resolved_by_the_proxy() {
    let cluster = |policy: &str| {
        json!({"name": "dns", "type": "STRICT_DNS", "lbPolicy": policy, "loadAssignment": {"clusterName": "dns",
            "endpoints": [{"lbEndpoints": [{"endpoint": {"address":
                {"socketAddress": {"address": "db.example", "portValue": 5432}}}}]}]}})
    };
    let with = |policy: &str| {
        let mut set = ResourceSet::default();
        set.clusters.insert("dns".into(), Arc::new(from_value(&cluster(policy)).unwrap()));
        set
    };
    let live = LiveState::new();
    let (first, rejections) = Tables::apply(&Tables::empty(), &with("RANDOM"), &live);
    assert_eq!(rejections, []);
    let dns = first.cluster("dns").unwrap();
    let [target] = dns.dns_targets() else { panic!("one name") };
    let mut chance = || 0;
    let mut env = Env { now: Duration::ZERO, unix_time: Duration::ZERO, rng: &mut chance };
    assert!(dns.pick(&PickContext::default(), &mut env).is_err());
    dns.resolved(target, &[IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2])]);
    assert_eq!(addresses(&first, "dns"), ["192.0.2.1:5432", "192.0.2.2:5432"]);
    // The answer is still known after the cluster changed.
    let (second, _) = Tables::apply(&first, &with("ROUND_ROBIN"), &live);
    let picked = second.cluster("dns").unwrap().pick(&PickContext::default(), &mut env).unwrap();
    assert_eq!((&*picked.hostname, picked.weight), ("db.example", 1));
}

#[test]
fn explicit_proxying_finds_the_port_of_a_host() {
    let mut set = ResourceSet::default();
    for (name, domain) in
        [("80", "web"), ("8080", "api"), ("9090", "both"), ("9091", "both"), ("auto:7000", "*")]
    {
        let table = json!({"name": name, "virtualHosts": [{"name": "v", "domains": [domain]}]});
        set.routes.insert(name.into(), Arc::new(from_value(&table).unwrap()));
    }
    let names: serde_json::Map<_, _> = ["web", "api", "both", "auto", "other"]
        .iter()
        .map(|name| ((*name).to_owned(), json!({"ips": ["10.0.0.1"]})))
        .collect();
    set.names = Arc::new(from_value(&json!({"table": names})).unwrap());
    let (tables, _) = Tables::apply(&Tables::empty(), &set, &LiveState::new());
    for (authority, hint, port) in [
        ("web", None, Some(80)),
        ("api", None, Some(8080)),
        ("api:81", None, Some(81)),
        ("both", None, Some(80)),
        ("both", Some(9090), Some(9090)),
        ("auto", None, Some(7000)),
        ("other", None, Some(80)),
        ("other", Some(8443), Some(8443)),
        ("nowhere", None, None),
        ("web:x", None, None),
    ] {
        let expected = port.map(|port| SocketAddr::from(([10, 0, 0, 1], port)));
        assert_eq!(tables.destination(authority, hint), expected, "{authority} {hint:?}");
    }
}

#[test]
fn unsupported_filters_are_refused_by_name() {
    let mut set = set(&good_routes(), &[]);
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "rds": {"routeConfigName": "80"},
        "httpFilters": [{"name": "envoy.filters.http.lua"}, {"name": "envoy.filters.http.router"}]
    });
    let listener = json!({
        "name": "lua", "address": {"socketAddress": {"address": "0.0.0.0", "portValue": 81}},
        "filterChains": [{"filters": [{"name": "http", "typedConfig": manager}]}]
    });
    set.listeners.insert("lua".into(), Arc::new(from_value(&listener).unwrap()));
    let (tables, rejections) = Tables::apply(&Tables::empty(), &set, &LiveState::new());
    assert!(tables.listener("lua").is_none());
    assert!(tables.listener("0.0.0.0_80").is_some());
    let [rejection] = rejections.as_slice() else { panic!("{rejections:?}") };
    assert_eq!(rejection.path, "filter_chains[0].filters[0].http_filters[0]");
    assert!(rejection.message.contains("lua"), "{rejection}");
}
