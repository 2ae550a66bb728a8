//! The facets of route configurations: domains, routes in order, and what else each route says.

use serde_json::{Value, json};

use super::{Facet, Facets, canon, field, list, only, put, sorted_text, text, without};

/// What a route does when it does not forward.
const ANSWERS: [&str; 3] = ["redirect", "directResponse", "nonForwardingAction"];

/// `name` is the route configuration's name, or says where it stands inline.
pub(super) fn split(name: &str, config: &Value, out: &mut Facets) {
    let mut hosts: Vec<_> = list(config, "virtualHosts")
        .iter()
        .map(|host| (domains(host), text(host, "name"), host))
        .collect();
    hosts.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    for (domains, host_name, host) in hosts {
        let key = format!("{name} | {host_name}");
        put(out, Facet::Domains, &key, json!(domains));
        let routes = list(host, "routes");
        let steps: Vec<Value> =
            routes.iter().map(|r| json!([conditions(r), destination(r)])).collect();
        put(out, Facet::Routes, &key, Value::Array(steps));
        let mut all: Vec<Value> = routes.iter().map(policies).collect();
        all.push(canon(&without(host, &["name", "domains", "routes"])));
        put(out, Facet::RoutePolicies, &key, Value::Array(all));
    }
}

fn domains(host: &Value) -> Vec<&str> {
    let mut domains: Vec<&str> = list(host, "domains").iter().filter_map(Value::as_str).collect();
    domains.sort_unstable();
    domains
}

/// The conditions of a route. All hold together, so their order says nothing.
fn conditions(route: &Value) -> Value {
    let mut conditions = canon(&field(route, "match"));
    for name in ["headers", "queryParameters"] {
        if let Some(Value::Array(items)) = conditions.get_mut(name) {
            items.sort_by_key(sorted_text);
        }
    }
    conditions
}

/// What becomes of a request: clusters with weights, a redirect, or an answer.
fn destination(route: &Value) -> Value {
    let Some(action) = route.get("route") else {
        return canon(&only(route, &ANSWERS));
    };
    if let Some(weighted) = action.get("weightedClusters") {
        return list(weighted, "clusters")
            .iter()
            .map(|c| json!([c.get("name"), c.get("weight").cloned().unwrap_or_else(|| json!(0))]))
            .collect();
    }
    match text(action, "cluster") {
        "" => canon(&only(action, &["clusterHeader", "inlineClusterSpecifierPlugin"])),
        cluster => json!(cluster),
    }
}

/// All that a route says beyond its conditions and its destination.
fn policies(route: &Value) -> Value {
    let mut rest =
        canon(&without(route, &["match", "redirect", "directResponse", "nonForwardingAction"]));
    let Some(Value::Object(action)) = rest.get_mut("route") else {
        return rest;
    };
    action.shift_remove("cluster");
    if let Some(weighted) = action.get("weightedClusters") {
        let per_cluster: Vec<Value> =
            list(weighted, "clusters").iter().map(|c| without(c, &["name", "weight"])).collect();
        if per_cluster.iter().all(|c| c == &json!({})) {
            action.shift_remove("weightedClusters");
        } else {
            action.insert("weightedClusters".into(), Value::Array(per_cluster));
        }
    }
    rest
}
